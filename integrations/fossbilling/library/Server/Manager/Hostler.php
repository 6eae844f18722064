<?php

/**
 * Hostler as a server manager of FOSSBilling: each function puts a job in, waits for it as long as a page or a cron
 * run can, and returns true only when it is true; else it throws what can be shown. What takes longer goes on by
 * itself, and activating the order again takes the result over. See integrations/fossbilling/README.md in Hostler's
 * repository.
 *
 * FOSSBilling tells a manager neither an order nor a service number. What stays the same is the client and the domain:
 * they are the reference of an account. It also draws another password at each try, and keeps the one of the try that
 * succeeds; so the account gets that one at last.
 */

require_once dirname(__DIR__) . '/Hostler/HostlerClient.php';

use Hostler\Client;
use Hostler\Failure;

class Server_Manager_Hostler extends Server_Manager
{
    private const PATIENCE = 25;
    /** What FOSSBilling writes over a password that it has told the customer. */
    private const MASK = '/^\**$/';

    public static function getForm(): array
    {
        $field = static fn (string $name, string $type, string $label, string $hint, bool $secret = false): array => [
            'name' => $name,
            'type' => $type,
            'label' => $label,
            'placeholder' => $hint,
            'required' => true,
            'secret' => $secret,
        ];
        return [
            'label' => 'Hostler',
            'form' => [
                'credentials' => [
                    'fields' => [
                        $field('username', 'text', 'Server', 'The name of the server in Hostler'),
                        $field('accesshash', 'text', 'API token', 'As "hostler token create" has shown it', true),
                    ],
                ],
            ],
        ];
    }

    public static function getSecretFields(): array
    {
        return ['accesshash'];
    }

    public function init()
    {
        foreach (['host' => 'host name', 'username' => 'name of the server', 'accesshash' => 'API token'] as $key => $name) {
            if (empty($this->_config[$key])) {
                throw new Server_Exception('Hostler: the :name is missing', [':name' => $name], 2001);
            }
        }
    }

    /** The same each time, since FOSSBilling keeps this name and not the one of the account that was made. */
    public function generateUsername(string $domain)
    {
        return Hostler\steady_username($domain);
    }

    public function getLoginUrl(?Server_Account $account = null)
    {
        if ($account === null) {
            return '';
        }
        return $this->run('log in', fn (Client $client): string => $client->loginUrl($this->reference($account)));
    }

    public function getResellerLoginUrl(?Server_Account $account = null)
    {
        return $this->getLoginUrl($account);
    }

    public function testConnection()
    {
        return $this->done('test', function (Client $client): void {
            $client->check($this->_config['username']);
        });
    }

    public function createAccount(Server_Account $account)
    {
        return $this->done('create', function (Client $client) use ($account): void {
            $wanted = array_filter([
                'domain' => $account->getDomain(),
                'email' => $account->getClient()->getEmail(),
                'package' => $account->getPackage()->getName(),
                'username' => $account->getUsername(),
                'password' => $this->password($account),
            ], static fn ($value): bool => (string) $value !== '');
            $job = $client->create($this->_config['username'], $this->reference($account), $wanted);
            $account->setUsername($job['result']['username'] ?? $job['account']['username']);
        });
    }

    public function synchronizeAccount(Server_Account $account)
    {
        $known = $this->run('synchronize', fn (Client $client): ?array => $client->account(
            $this->_config['username'],
            $this->reference($account)
        ));
        $copy = clone $account;
        if ($known !== null) {
            $copy->setUsername($known['username']);
            $copy->setSuspended($known['state'] === 'suspended');
            if ($known['address'] !== null) {
                $copy->setIp($known['address']);
            }
        }
        return $copy;
    }

    public function suspendAccount(Server_Account $account)
    {
        return $this->done('suspend', function (Client $client) use ($account): void {
            $client->change('suspend', $this->reference($account), [], (string) $account->getNote());
        });
    }

    public function unsuspendAccount(Server_Account $account)
    {
        return $this->done('unsuspend', function (Client $client) use ($account): void {
            $client->change('unsuspend', $this->reference($account));
        });
    }

    public function cancelAccount(Server_Account $account)
    {
        return $this->done('cancel', function (Client $client) use ($account): void {
            $client->change('terminate', $this->reference($account));
        });
    }

    public function changeAccountPassword(Server_Account $account, string $newPassword)
    {
        return $this->done('change the password', function (Client $client) use ($account, $newPassword): void {
            $client->change('change_password', $this->reference($account), ['password' => $newPassword]);
        });
    }

    public function changeAccountPackage(Server_Account $account, Server_Package $package)
    {
        return $this->done('change the package', function (Client $client) use ($account, $package): void {
            $client->changePackage($this->reference($account), (string) $package->getName());
        });
    }

    public function changeAccountUsername(Server_Account $account, string $newUsername)
    {
        throw $this->cannot('change the user name');
    }

    public function changeAccountDomain(Server_Account $account, string $newDomain)
    {
        throw $this->cannot('change the domain');
    }

    public function changeAccountIp(Server_Account $account, string $newIp)
    {
        throw $this->cannot('change the IP address');
    }

    private function password(Server_Account $account): string
    {
        $password = (string) $account->getPassword();
        return preg_match(self::MASK, $password) === 1 ? '' : $password;
    }

    /** The client's number and the domain; long domains by their sum, since a reference has its limit. */
    private function reference(Server_Account $account): string
    {
        $domain = strtolower((string) $account->getDomain());
        $domain = strlen($domain) > 80 ? hash('sha256', $domain) : $domain;
        return 'fossbilling:' . $account->getClient()->getId() . ':' . $domain;
    }

    /** @param callable(Client): void $act */
    private function done(string $what, callable $act): bool
    {
        $this->run($what, $act);
        return true;
    }

    /**
     * @template T
     *
     * @param callable(Client): T $act
     *
     * @return T
     */
    private function run(string $what, callable $act)
    {
        try {
            return $act($this->client());
        } catch (Failure $failure) {
            $this->getLog()->info('Hostler: ' . $what . ': ' . $failure->forStaff());
            throw new Server_Exception('Hostler: :why', [':why' => $failure->forStaff()]);
        }
    }

    private function cannot(string $what): Server_Exception
    {
        return new Server_Exception('Hostler cannot :what of an account that exists', [':what' => $what]);
    }

    private function client(): Client
    {
        $port = (int) $this->_config['port'];
        $base = ($this->_config['secure'] ? 'https://' : 'http://') . $this->_config['host'];
        return new Client(
            $base . ($port > 0 ? ':' . $port : ''),
            trim((string) $this->_config['accesshash']),
            (int) ($this->_config['config']['patience'] ?? self::PATIENCE),
            function (string $line): void {
                $this->getLog()->debug('Hostler: ' . $line);
            }
        );
    }
}
