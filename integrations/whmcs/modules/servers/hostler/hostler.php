<?php

/**
 * Hostler as a provisioning module of WHMCS: each function puts a job in, waits for it as long as a page or a cron
 * run can, and says "success" only when it is true. What takes longer goes on by itself; the same button, pressed
 * again, takes the result over. See README.md beside this module's folder in Hostler's repository.
 *
 * A server in WHMCS is a server in Hostler: Hostname, Port and Secure say where Hostler's API is, Username is the
 * server's name in Hostler, Access Hash (or Password) is the API token.
 */

if (!defined('WHMCS')) {
    exit('This file is part of WHMCS.');
}

require_once __DIR__ . '/lib/HostlerClient.php';

use Hostler\Client;
use Hostler\Failure;
use WHMCS\Database\Capsule;
use WHMCS\Service\Status;

function hostler_MetaData(): array
{
    return [
        'DisplayName' => 'Hostler',
        'APIVersion' => '1.1',
        'RequiresServer' => true,
        'DefaultNonSSLPort' => '8080',
        'DefaultSSLPort' => '443',
        'ServiceSingleSignOnLabel' => 'Log in to the control panel',
        'ListAccountsProductField' => 'configoption1',
        'ListAccountsUniqueIdentifierDisplayName' => 'Username',
        'ListAccountsUniqueIdentifierField' => 'username',
    ];
}

function hostler_ConfigOptions(): array
{
    return [
        'Package' => [
            'FriendlyName' => 'Package',
            'Type' => 'text',
            'Size' => 40,
            'Loader' => 'hostler_PackageLoader',
            'SimpleMode' => true,
            'Description' => 'The package on the panel',
        ],
        'Patience' => [
            'FriendlyName' => 'Seconds to wait',
            'Type' => 'text',
            'Size' => 4,
            'Default' => '20',
            'Description' => 'for a job before it goes on without this page; below PHP\'s and the web server\'s limit',
        ],
        'DedicatedIp' => [
            'FriendlyName' => 'Address of its own',
            'Type' => 'yesno',
            'Description' => 'Give each account a dedicated IP address',
        ],
    ];
}

function hostler_PackageLoader(array $params): array
{
    try {
        $names = hostler_client($params)->packages($params['serverusername']);
    } catch (Failure $failure) {
        throw new Exception($failure->forStaff());
    }
    return array_combine($names, $names);
}

function hostler_CreateAccount(array $params): string
{
    return hostler_answer('CreateAccount', $params, static function (Client $client) use ($params): void {
        $account = [
            'domain' => $params['domain'],
            'email' => $params['clientsdetails']['email'] ?? null,
            'package' => $params['configoption1'],
        ];
        // WHMCS has made and stored both before it calls.
        if ((string) ($params['username'] ?? '') !== '') {
            $account['username'] = $params['username'];
        }
        $account['password'] = hostler_password($client, $params);
        $limits = hostler_limits($params);
        if ($limits !== []) {
            $account['limits'] = $limits;
        }
        if (in_array($params['configoption3'] ?? '', ['on', '1'], true)) {
            $account['dedicated_ip'] = true;
        }
        $job = $client->create($params['serverusername'], hostler_reference($params), $account);
        hostler_store($params, $job);
    });
}

function hostler_SuspendAccount(array $params): string
{
    $reason = (string) ($params['suspendreason'] ?? '');
    return hostler_answer('SuspendAccount', $params, static function (Client $client) use ($params, $reason): void {
        $client->change('suspend', hostler_reference($params), [], $reason);
    });
}

function hostler_UnsuspendAccount(array $params): string
{
    return hostler_answer('UnsuspendAccount', $params, static function (Client $client) use ($params): void {
        $client->change('unsuspend', hostler_reference($params));
    });
}

function hostler_TerminateAccount(array $params): string
{
    return hostler_answer('TerminateAccount', $params, static function (Client $client) use ($params): void {
        $client->change('terminate', hostler_reference($params));
    });
}

function hostler_ChangePackage(array $params): string
{
    return hostler_answer('ChangePackage', $params, static function (Client $client) use ($params): void {
        $client->changePackage(hostler_reference($params), $params['configoption1'], hostler_limits($params));
    });
}

/** What this returns is shown to the customer. */
function hostler_ChangePassword(array $params): string
{
    try {
        $client = hostler_client($params, 'ChangePassword');
        $client->change('change_password', hostler_reference($params), ['password' => $params['password']]);
    } catch (Failure $failure) {
        return $failure->reason === 'pending'
            ? 'The new password is being set. Please send the same one again in a minute.'
            : $failure->getMessage();
    }
    return 'success';
}

function hostler_TestConnection(array $params): array
{
    try {
        hostler_client($params, 'TestConnection')->check($params['serverusername']);
    } catch (Failure $failure) {
        return ['success' => false, 'error' => $failure->forStaff()];
    }
    return ['success' => true, 'error' => ''];
}

function hostler_ServiceSingleSignOn(array $params): array
{
    try {
        $url = hostler_client($params, 'ServiceSingleSignOn')->loginUrl(hostler_reference($params));
    } catch (Failure $failure) {
        return ['success' => false, 'errorMsg' => $failure->getMessage()];
    }
    return ['success' => true, 'redirectTo' => $url];
}

function hostler_ListAccounts(array $params): array
{
    try {
        $accounts = hostler_client($params, 'ListAccounts')->accounts($params['serverusername']);
    } catch (Failure $failure) {
        return ['success' => false, 'error' => $failure->forStaff()];
    }
    $listed = [];
    foreach ($accounts as $account) {
        $listed[] = [
            'email' => $account['email'] ?? '',
            'username' => $account['username'],
            'domain' => $account['domain'] ?? '',
            'uniqueIdentifier' => $account['username'],
            'product' => $account['package'] ?? '',
            'primaryip' => $account['address'] ?? '',
            'created' => date('Y-m-d H:i:s', (int) strtotime($account['created_at'])),
            'status' => $account['state'] === 'suspended' ? Status::SUSPENDED : Status::ACTIVE,
        ];
    }
    return ['success' => true, 'accounts' => $listed];
}

/**
 * Once a day for each server: disk and this month's traffic of all its services, in MB of 2^20 bytes. What is not
 * known leaves the figure that is there; a limit of "unlimited" is WHMCS's 0.
 */
function hostler_UsageUpdate(array $params): void
{
    try {
        $rows = hostler_client($params, 'UsageUpdate')->usage($params['serverusername']);
    } catch (Failure $failure) {
        return;
    }
    $columns = [
        'diskusage' => 'disk_mb',
        'disklimit' => 'disk_limit_mb',
        'bwusage' => 'traffic_mb',
        'bwlimit' => 'traffic_limit_mb',
    ];
    foreach ($rows as $row) {
        $id = hostler_service_id($row['reference'] ?? null);
        $figures = [];
        foreach ($columns as $column => $name) {
            if ($row[$name] !== null) {
                $figures[$column] = $row[$name] === 'unlimited' ? 0 : (int) $row[$name];
            }
        }
        if ($id === null || $figures === []) {
            continue;
        }
        // By the service's own number: one domain may be in a terminated and in an active service.
        Capsule::table('tblhosting')
            ->where('id', $id)
            ->where('server', $params['serverid'])
            ->update($figures + ['lastupdate' => date('Y-m-d H:i:s')]);
    }
}

/** What Hostler does for the service just now, on its page for the staff. */
function hostler_AdminServicesTabFields(array $params): array
{
    try {
        $job = hostler_client($params)->newestJob(hostler_reference($params));
    } catch (Failure $failure) {
        return ['Hostler' => hostler_html($failure->forStaff())];
    }
    if ($job === null) {
        return ['Hostler' => 'No job'];
    }
    $state = $job['state'] . ', attempt ' . $job['attempt'] . ' of ' . $job['max_attempts'];
    if (isset($job['waiting_for']['reason'])) {
        $state .= ', waits for: ' . $job['waiting_for']['reason'];
    }
    $fields = [
        'Hostler job' => hostler_html($job['kind'] . ' ' . $job['id']),
        'Job state' => hostler_html($state),
        'Account' => hostler_html(($job['account']['username'] ?? '') . ', ' . ($job['account']['state'] ?? '')),
    ];
    if ($job['error'] !== null) {
        $fields['Last error'] = hostler_html($job['error']['code'] . ': ' . ($job['error']['message'] ?? ''));
    }
    return $fields;
}

// What WHMCS does not call.

function hostler_client(array $params, string $function = ''): Client
{
    $secure = (bool) $params['serversecure'];
    $port = (int) ($params['serverport'] ?? 0);
    $host = $params['serverhostname'] !== '' ? $params['serverhostname'] : $params['serverip'];
    $base = ($secure ? 'https://' : 'http://') . $host . ($port > 0 ? ':' . $port : '');
    $token = trim((string) $params['serveraccesshash']);
    $note = static function (string $line) use ($function, $params): void {
        if ($function !== '') {
            // Lines of the client hold no secret; none is given to the log in the first place.
            logModuleCall('hostler', $function, 'service ' . ($params['serviceid'] ?? '-'), $line, $line, []);
        }
    };
    $patience = (int) ($params['configoption2'] ?? 0);
    return new Client($base, $token !== '' ? $token : $params['serverpassword'], $patience > 0 ? $patience : 20, $note);
}

/** @param callable(Client): void $act */
function hostler_answer(string $function, array $params, callable $act): string
{
    try {
        $act(hostler_client($params, $function));
    } catch (Failure $failure) {
        return $failure->forStaff();
    }
    return 'success';
}

function hostler_reference(array $params): string
{
    return 'whmcs:' . $params['serviceid'];
}

function hostler_service_id(?string $reference): ?int
{
    return preg_match('/^whmcs:(\d+)$/', (string) $reference, $found) === 1 ? (int) $found[1] : null;
}

/** The service's password; one that the panel would not take is replaced in WHMCS before anything is asked for. */
function hostler_password(Client $client, array $params): string
{
    $password = (string) ($params['password'] ?? '');
    if ($client->takesPassword($params['serverusername'], $password)) {
        return $password;
    }
    $password = Hostler\new_password();
    $params['model']->serviceProperties->save(['Password' => $password]);
    return $password;
}

/** Configurable options whose names are those of Hostler's limits: a number, or "unlimited". */
function hostler_limits(array $params): array
{
    $names = ['disk_mb', 'traffic_mb', 'email_accounts', 'databases', 'domains', 'subdomains', 'ftp_accounts'];
    $limits = [];
    foreach ($names as $name) {
        $value = strtolower(trim((string) ($params['configoptions'][$name] ?? '')));
        if ($value !== '') {
            $limits[$name] = ctype_digit($value) ? (int) $value : $value;
        }
    }
    return $limits;
}

/** What the job says the account is called and where it lies. */
function hostler_store(array $params, array $job): void
{
    $properties = ['Username' => $job['result']['username'] ?? $job['account']['username'] ?? null];
    if (in_array($params['configoption3'] ?? '', ['on', '1'], true)) {
        $properties['Dedicated IP'] = $job['result']['ip'] ?? null;
    }
    $properties = array_filter($properties);
    if ($properties !== [] && isset($params['model'])) {
        $params['model']->serviceProperties->save($properties);
    }
}

function hostler_html(string $text): string
{
    return htmlspecialchars($text, ENT_QUOTES | ENT_SUBSTITUTE, 'UTF-8');
}
