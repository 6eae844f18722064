<?php

/**
 * Hostler as a hosting module of WISECP: each function puts a job in, waits for it as long as a page can, and says
 * true only when it is true. What takes longer goes on by itself; when WISECP or a person calls again, the result is
 * taken over. See integrations/wisecp/README.md in Hostler's repository.
 *
 * A server in WISECP is a server in Hostler: hostname (or IP), port and SSL say where Hostler's API is, the user name
 * is the server's name in Hostler, the access hash (or the password) is the API token.
 */

require_once __DIR__ . '/HostlerClient.php';

use Hostler\Client;
use Hostler\Failure;

class Hostler_Module extends ServerModule
{
    private const PATIENCE = 20;
    private const FTP_PORT = 21;

    private array $at = [];

    public function __construct($server, $options = [])
    {
        $this->_name = __CLASS__;
        parent::__construct($server, $options);
        // An order whose account could not be made must not count as installed.
        $this->force_setup = false;
    }

    protected function define_server_info($server = [])
    {
        $this->at = $server;
    }

    public function testConnect()
    {
        return $this->true(__FUNCTION__, function (Client $client): void {
            $client->check($this->at['username']);
        });
    }

    public function config_options($data = [])
    {
        $packages = [];
        try {
            $names = $this->client(__FUNCTION__)->packages($this->at['username']);
            $packages = array_combine($names, $names);
        } catch (Failure $failure) {
            // A text field will do.
        }
        return [
            'plan' => [
                'name' => $this->lang['plan'],
                'description' => $this->lang['plan-description'],
                'type' => $packages === [] ? 'text' : 'dropdown',
                'options' => $packages,
                'value' => $data['plan'] ?? '',
            ],
            'patience' => [
                'name' => $this->lang['patience'],
                'description' => $this->lang['patience-description'],
                'type' => 'text',
                'value' => $data['patience'] ?? (string) self::PATIENCE,
            ],
        ];
    }

    /** @return array|false what WISECP keeps in the service's options */
    public function create($domain = '', array $order_options = [])
    {
        $domain = $domain !== '' ? $domain : (string) ($order_options['domain'] ?? '');
        try {
            $client = $this->client(__FUNCTION__);
            [$username, $password] = $this->credentials($client, $domain, $order_options);
            $account = [
                'domain' => $domain,
                'email' => $this->user['email'] ?? null,
                'package' => $order_options['creation_info']['plan'] ?? null,
                'username' => $username,
                'password' => $password,
            ];
            $job = $client->create($this->at['username'], $this->reference(), $account);
        } catch (Failure $failure) {
            $this->error = $failure->reason === 'pending' ? $this->lang['being-made'] : $failure->getMessage();
            $this->note(__FUNCTION__, $failure->forStaff());
            return false;
        }
        $made = $job['result'] ?? [];
        $username = $made['username'] ?? $username;
        return [
            'username' => $username,
            'password' => $password,
            'ftp_info' => [
                'ip' => $made['ip'] ?? $this->at['ip'],
                'host' => $made['host_name'] ?? $domain,
                'username' => $username,
                'password' => $password,
                'port' => self::FTP_PORT,
            ],
        ];
    }

    public function suspend()
    {
        return $this->true(__FUNCTION__, function (Client $client): void {
            $client->change('suspend', $this->reference());
        });
    }

    public function unsuspend()
    {
        return $this->true(__FUNCTION__, function (Client $client): void {
            $client->change('unsuspend', $this->reference());
        });
    }

    public function terminate()
    {
        return $this->true(__FUNCTION__, function (Client $client): void {
            $client->change('terminate', $this->reference());
        });
    }

    public function apply_updowngrade($orderopt = [], $product = [])
    {
        return $this->true(__FUNCTION__, function (Client $client) use ($product): void {
            $client->changePackage($this->reference(), (string) ($product['module_data']['plan'] ?? ''));
        });
    }

    public function change_password($password = '')
    {
        return $this->true(__FUNCTION__, function (Client $client) use ($password): void {
            $client->change('change_password', $this->reference(), ['password' => (string) $password]);
        });
    }

    public function getDisk()
    {
        return $this->usage(__FUNCTION__, 'disk_mb', 'disk_limit_mb', 1, 'MB');
    }

    public function getBandwidth()
    {
        return $this->usage(__FUNCTION__, 'traffic_mb', 'traffic_limit_mb', 1024, 'GB');
    }

    public function listAccounts()
    {
        try {
            $accounts = $this->client(__FUNCTION__)->accounts($this->at['username']);
        } catch (Failure $failure) {
            return $this->failed(__FUNCTION__, $failure);
        }
        return array_map(static fn (array $account): array => [
            'cdate' => date('Y-m-d H:i:s', (int) strtotime($account['created_at'])),
            'domain' => $account['domain'] ?? '',
            'username' => $account['username'],
            'plan' => $account['package'] ?? '',
            'suspended' => $account['state'] === 'suspended',
        ], $accounts);
    }

    public function use_clientArea_SingleSignOn()
    {
        return $this->login(__FUNCTION__);
    }

    public function use_adminArea_SingleSignOn()
    {
        return $this->login(__FUNCTION__);
    }

    /**
     * Name and password: what the order has, else new ones (also for a password that the panel would not take), which
     * are stored before anything is asked for with them.
     */
    private function credentials(Client $client, string $domain, array $options): array
    {
        $username = (string) ($options['username'] ?? '');
        $password = (string) ($options['password'] ?? '');
        $takesPassword = $client->takesPassword($this->at['username'], $password);
        if ($username !== '' && $takesPassword) {
            return [$username, $password];
        }
        $username = $username !== '' ? $username : Hostler\steady_username($domain);
        $password = $takesPassword ? $password : Hostler\new_password();
        $stored = ['username' => $username, 'password' => $password] + $options;
        Orders::set($this->order['id'], ['options' => Utility::jencode($stored)]);
        return [$username, $password];
    }

    private function usage(string $function, string $used, string $limit, int $unit, string $name)
    {
        try {
            $row = $this->client($function)->usageOf($this->at['username'], $this->reference());
        } catch (Failure $failure) {
            return $this->failed($function, $failure);
        }
        if ($row === null || $row[$used] === null) {
            return false;
        }
        $uses = round($row[$used] / $unit, 2);
        $may = is_int($row[$limit]) ? round($row[$limit] / $unit, 2) : 0;
        return [
            'limit' => $may,
            'used' => $uses,
            'used-percent' => $may > 0 ? min(100, (int) round($uses * 100 / $may)) : 0,
            'format-limit' => $may > 0 ? $may . ' ' . $name : $this->lang['unlimited'],
            'format-used' => $uses . ' ' . $name,
        ];
    }

    private function login(string $function)
    {
        try {
            $url = $this->client($function)->loginUrl($this->reference());
        } catch (Failure $failure) {
            echo htmlspecialchars($failure->getMessage(), ENT_QUOTES, 'UTF-8');
            return $this->failed($function, $failure);
        }
        Utility::redirect($url);
        echo 'Redirecting...';
        return true;
    }

    /** @param callable(Client): void $act */
    private function true(string $function, callable $act): bool
    {
        try {
            $act($this->client($function));
        } catch (Failure $failure) {
            return $this->failed($function, $failure);
        }
        return true;
    }

    private function failed(string $function, Failure $failure): bool
    {
        $this->error = $failure->getMessage();
        $this->note($function, $failure->forStaff());
        return false;
    }

    private function reference(): string
    {
        return 'wisecp:' . $this->order['id'];
    }

    private function client(string $function): Client
    {
        $at = $this->at;
        $host = ($at['name'] ?? '') !== '' ? $at['name'] : $at['ip'];
        $base = (!empty($at['secure']) ? 'https://' : 'http://') . $host . (!empty($at['port']) ? ':' . $at['port'] : '');
        $token = trim((string) ($at['access_hash'] ?? ''));
        $patience = (int) ($this->options['creation_info']['patience'] ?? 0);
        return new Client(
            $base,
            $token !== '' ? $token : (string) $at['password'],
            $patience > 0 ? $patience : self::PATIENCE,
            function (string $line) use ($function): void {
                $this->note($function, $line);
            }
        );
    }

    /** Lines that hold no secret: WISECP keeps what it is given. */
    private function note(string $function, string $line): void
    {
        self::save_log('Servers', $this->_name, $function, 'order ' . ($this->order['id'] ?? '-'), $line, '');
    }
}
