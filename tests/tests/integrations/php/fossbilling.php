<?php

/**
 * FOSSBilling as a server manager sees it: the base class, the objects that it is given, the log, and what FOSSBilling
 * does around the calls: another password at each try, nothing saved unless the try succeeds, then the name that
 * `generateUsername` gave, and a masked password.
 */

declare(strict_types=1);

require __DIR__ . '/platform.php';

class Server_Exception extends Exception
{
    public function __construct(string $message, ?array $variables = null, int $code = 0)
    {
        parent::__construct(strtr($message, $variables ?? []), $code);
    }
}

final class Box_Log
{
    public function info(string $text): void
    {
        Book::append('log', $text);
    }

    public function debug(string $text): void
    {
        Book::append('log', $text);
    }
}

/** An object of named values with getters and setters. */
abstract class Server_Values
{
    public function __construct(private array $values)
    {
    }

    public function __call(string $method, array $arguments): mixed
    {
        $name = substr($method, 3);
        if (strncmp($method, 'set', 3) === 0) {
            $this->values[$name] = $arguments[0];
            return $this;
        }
        return $this->values[$name] ?? null;
    }
}

final class Server_Account extends Server_Values
{
}

final class Server_Package extends Server_Values
{
}

final class Server_Client extends Server_Values
{
}

abstract class Server_Manager
{
    protected array $_config = [
        'ip' => null, 'host' => null, 'secure' => false, 'username' => null, 'password' => null,
        'accesshash' => null, 'config' => null, 'port' => null, 'passwordLength' => null,
    ];

    public function __construct(array $options)
    {
        $this->_config = array_replace($this->_config, $options);
        $this->init();
    }

    protected function init()
    {
    }

    public function getLog(): ?Box_Log
    {
        return new Box_Log();
    }

    public function generateUsername(string $domain)
    {
        return substr((string) preg_replace('/[^A-Za-z0-9]/', '', $domain), 0, 7) . random_int(0, 9);
    }

    abstract public function getLoginUrl(?Server_Account $account);

    abstract public function getResellerLoginUrl(?Server_Account $account);

    abstract public function testConnection();

    abstract public function createAccount(Server_Account $account);

    abstract public function synchronizeAccount(Server_Account $account);

    abstract public function suspendAccount(Server_Account $account);

    abstract public function unsuspendAccount(Server_Account $account);

    abstract public function cancelAccount(Server_Account $account);

    abstract public function changeAccountPassword(Server_Account $account, string $newPassword);

    abstract public function changeAccountUsername(Server_Account $account, string $newUsername);

    abstract public function changeAccountDomain(Server_Account $account, string $newDomain);

    abstract public function changeAccountIp(Server_Account $account, string $newIp);

    abstract public function changeAccountPackage(Server_Account $account, Server_Package $package);
}

require $root . '/library/Server/Manager/Hostler.php';

function package_named(string $name): Server_Package
{
    return new Server_Package(['Name' => $name, 'Quota' => '1024', 'Bandwidth' => 'unlimited']);
}

/** The account of a service as its row says it now. */
function account_of(array $service): Server_Account
{
    $client = Book::row('client', $service['client_id']);
    return new Server_Account([
        'Username' => $service['username'],
        'Password' => $service['pass'],
        'Domain' => $service['domain'],
        'Ip' => null,
        'Note' => $service['note'] ?? null,
        'Package' => package_named($service['plan']),
        'Client' => new Server_Client(['Id' => $service['client_id'], 'Email' => $client['email']]),
    ]);
}

/** What a customer is told of a new account; nothing of a try is kept unless it succeeds. */
function activate(Server_Manager $manager, array $service): array
{
    $password = 'Pw-' . bin2hex(random_bytes(6)) . '-X9';
    $username = $manager->generateUsername($service['domain']);
    Book::append('drawn', $password);
    $manager->createAccount(account_of(['username' => $username, 'pass' => $password] + $service));
    Book::change('service', $service['id'], ['username' => $username, 'pass' => '********', 'status' => 'active']);
    return ['username' => $username, 'password' => $password];
}

function synchronize(Server_Manager $manager, array $service): array
{
    $synchronized = $manager->synchronizeAccount(account_of($service));
    Book::change('service', $service['id'], ['username' => $synchronized->getUsername()]);
    return ['username' => $synchronized->getUsername(), 'ip' => $synchronized->getIp()];
}

answer(static function (string $function, array $arguments): array {
    try {
        if ($function === 'form') {
            $form = Server_Manager_Hostler::getForm();
            return ['returned' => $form, 'secret' => Server_Manager_Hostler::getSecretFields()];
        }
        $manager = new Server_Manager_Hostler(Book::row('server', 1));
        if ($function === 'testConnection') {
            return ['returned' => $manager->testConnection()];
        }
        $service = Book::row('service', $arguments['service']);
        $with = $arguments['with'] ?? null;
        return ['returned' => match ($function) {
            'activate' => activate($manager, $service),
            'synchronize' => synchronize($manager, $service),
            'changeAccountPackage' => $manager->changeAccountPackage(account_of($service), package_named($with)),
            default => $with === null
                ? $manager->$function(account_of($service))
                : $manager->$function(account_of($service), $with),
        }];
    } catch (Server_Exception $refused) {
        return ['thrown' => $refused->getMessage(), 'code' => $refused->getCode()];
    }
});
