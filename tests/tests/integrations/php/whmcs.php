<?php

/** WHMCS as a provisioning module sees it: parameters, service properties, the log, the database, the queue. */

declare(strict_types=1);

namespace WHMCS\Service {
    final class Status
    {
        public const ACTIVE = 'Active';
        public const SUSPENDED = 'Suspended';
    }
}

namespace WHMCS\Database {
    /** As much of the query builder as updates of one table take. */
    final class Capsule
    {
        private array $conditions = [];

        private function __construct(private string $table)
        {
        }

        public static function table(string $name): self
        {
            return new self($name);
        }

        public function where(string $column, mixed $value): self
        {
            $this->conditions[$column] = $value;
            return $this;
        }

        public function update(array $fields): int
        {
            $changed = 0;
            foreach (\Book::rows($this->table) as $id => $row) {
                foreach ($this->conditions as $column => $value) {
                    if (($row[$column] ?? null) != $value) {
                        continue 2;
                    }
                }
                \Book::change($this->table, $id, $fields);
                $changed++;
            }
            return $changed;
        }
    }
}

namespace {
    require __DIR__ . '/platform.php';
    define('WHMCS', true);

    /** Everything that it is given, also what a careful caller lists to be scrubbed. */
    function logModuleCall($module, $action, $request, $response, $processed = '', $secrets = []): void
    {
        Book::append('log', [$module, $action, $request, $response, $processed]);
    }

    final class ServiceProperties
    {
        private const COLUMNS = ['Username' => 'username', 'Password' => 'password', 'Dedicated IP' => 'dedicatedip'];

        public function __construct(private int $service)
        {
        }

        public function save(array $values): void
        {
            foreach ($values as $name => $value) {
                Book::change('tblhosting', $this->service, [self::COLUMNS[$name] ?? $name => $value]);
            }
        }

        public function get(string $name): ?string
        {
            return Book::row('tblhosting', $this->service)[self::COLUMNS[$name] ?? $name] ?? null;
        }
    }

    function server_params(int $id): array
    {
        $server = Book::row('tblservers', $id);
        return [
            'server' => true,
            'serverid' => $id,
            'serverip' => $server['ipaddress'],
            'serverhostname' => $server['hostname'],
            'serverusername' => $server['username'],
            'serverpassword' => $server['password'],
            'serveraccesshash' => $server['accesshash'],
            'serversecure' => $server['secure'],
            'serverport' => $server['port'],
        ];
    }

    function service_params(int $id): array
    {
        $service = Book::row('tblhosting', $id);
        $product = Book::row('tblproducts', $service['packageid']);
        return server_params($service['server']) + $product + [
            'serviceid' => $id,
            'userid' => $service['userid'],
            'pid' => $service['packageid'],
            'domain' => $service['domain'],
            'username' => $service['username'],
            'password' => $service['password'],
            'producttype' => 'hostingaccount',
            'moduletype' => 'hostler',
            'clientsdetails' => Book::row('tblclients', $service['userid']),
            'customfields' => [],
            'configoptions' => $service['configoptions'],
            'model' => (object) ['serviceProperties' => new ServiceProperties($id)],
        ];
    }

    /** What success of a function makes of a service. */
    const BECOMES = [
        'CreateAccount' => 'Active',
        'UnsuspendAccount' => 'Active',
        'SuspendAccount' => 'Suspended',
        'TerminateAccount' => 'Terminated',
    ];

    require $root . '/modules/servers/hostler/hostler.php';

    answer(static function (string $function, array $arguments): mixed {
        if (isset($arguments['server'])) {
            return ('hostler_' . $function)(server_params($arguments['server']));
        }
        if (!isset($arguments['service'])) {
            return ('hostler_' . $function)();
        }
        $id = $arguments['service'];
        $answer = ('hostler_' . $function)(array_replace(service_params($id), $arguments['with'] ?? []));
        if ($answer === 'success') {
            $known = isset(BECOMES[$function]) ? ['domainstatus' => BECOMES[$function]] : [];
            // The customer's new password is stored when the module took it.
            $known += $function === 'ChangePassword' ? ['password' => $arguments['with']['password']] : [];
            Book::change('tblhosting', $id, $known);
        } elseif (is_string($answer)) {
            Book::append('tblmodulequeue', ['service' => $id, 'action' => $function, 'error' => $answer]);
        }
        return $answer;
    });
}
