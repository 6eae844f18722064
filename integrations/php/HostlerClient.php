<?php

/**
 * Hostler's HTTP API for billing modules: one intent of the platform becomes one job, however often the platform
 * asks for it, and no call waits longer than it may.
 *
 * The modules of WHMCS, WISECP and FOSSBilling share this file; integrations/install puts it beside each of them.
 * It needs PHP 7.4 or newer with curl and json, and writes no log: callers get a line for each call, without bodies.
 */

namespace Hostler;

/** Why a call of the platform cannot say "done". Its message is fit for a customer. */
final class Failure extends \RuntimeException
{
    /** Stable word: `pending`, `held`, `unreachable`, `not_allowed`, `invalid`, or the code of the job's error. */
    public string $reason;

    /** For the staff: which job, what exactly. Holds no secret. */
    public string $detail;

    public function __construct(string $reason, string $message, string $detail = '')
    {
        parent::__construct($message);
        $this->reason = $reason;
        $this->detail = $detail === '' ? $message : $detail;
    }

    /** Both texts, for places that only the staff reads. */
    public function forStaff(): string
    {
        return $this->detail === $this->getMessage() ? $this->detail : $this->getMessage() . ' (' . $this->detail . ')';
    }
}

/** An answer of the API. */
final class Answer
{
    public int $status;
    public array $body;

    public function __construct(int $status, array $body)
    {
        $this->status = $status;
        $this->body = $body;
    }

    /** The last word of a problem's type: `idempotency_key_reused`, `invalid`, ... */
    public function problem(): string
    {
        $words = explode(':', (string) ($this->body['type'] ?? ''));
        return (string) end($words);
    }
}

final class Client
{
    /** Seconds to reach the API, and to answer what is answered at once. */
    private const CONNECT = 5;
    private const AT_ONCE = 10;
    /** The longest wait that the API takes. */
    private const LONGEST_WAIT = 60;
    private const AT_REST = ['succeeded', 'failed', 'held', 'cancelled'];
    private const DEAD = ['terminated', 'failed', 'conflict'];
    /** Kinds in which another body is another intent, not the same one told in other words. */
    private const TOLD_BY_BODY = ['change_password', 'change_package', 'change_limits'];

    private string $base;
    private string $token;
    private int $patience;
    private float $until = 0.0;
    /** @var callable(string): void */
    private $note;

    /**
     * @param string        $base     like `https://hostler.example.com:8443`
     * @param int           $patience seconds that one call of the platform may wait for jobs
     * @param callable|null $note     takes one line a call, for the platform's module log
     */
    public function __construct(string $base, string $token, int $patience = 20, ?callable $note = null)
    {
        $this->base = rtrim($base, '/');
        $this->token = $token;
        $this->patience = max(1, $patience);
        $this->note = $note ?? static function (string $line): void {
        };
    }

    /**
     * Makes the account of `$reference`, or finds the job that does so already. Its password is then the one in
     * `$account`, also when an earlier call of the platform had sent another.
     *
     * @param array $account fields of the API's `account`
     *
     * @return array the job
     *
     * @throws Failure also while the account is still being made: call again
     */
    public function create(string $server, string $reference, array $account, string $reason = ''): array
    {
        $this->startClock();
        $request = ['kind' => 'create', 'server' => $server, 'account' => ['reference' => $reference] + $account];
        [$job, $sameBody] = $this->put($reference, $this->withReason($request, $reason));
        $this->done($job);
        if (!$sameBody && isset($account['password'])) {
            $this->setPassword($reference, $account['password']);
        }
        return $job;
    }

    /**
     * A change of the account of `$reference`: `suspend`, `unsuspend`, `terminate`, `change_package`, ...
     *
     * @param array $account what the kind takes, like `['package' => 'gold']`
     *
     * @return array the job
     *
     * @throws Failure also while it is still going on: call again
     */
    public function change(string $kind, string $reference, array $account = [], string $reason = ''): array
    {
        $this->startClock();
        return $this->changeNow($kind, $reference, $account, $reason);
    }

    /**
     * The account's package, and its own limits over it where there are any.
     *
     * @throws Failure also while it is still going on: call again
     */
    public function changePackage(string $reference, string $package, array $limits = []): void
    {
        $this->startClock();
        $this->changeNow('change_package', $reference, ['package' => $package], '');
        if ($limits !== []) {
            $this->changeNow('change_limits', $reference, ['limits' => $limits], '');
        }
    }

    /**
     * A link that logs the account's owner in; it works once and for a few minutes, so nothing is kept of it.
     *
     * @throws Failure
     */
    public function loginUrl(string $reference): string
    {
        $this->startClock();
        $job = $this->wait($this->submit(['kind' => 'login_url', 'account' => ['reference' => $reference]], null)->body);
        $this->done($job);
        $secret = $this->call('POST', '/v1/jobs/' . rawurlencode($job['id']) . '/secret', []);
        if ($secret->status !== 200 || !isset($secret->body['login_url'])) {
            throw $this->refused($secret);
        }
        $this->call('POST', '/v1/jobs/' . rawurlencode($job['id']) . '/secret/ack', []);
        return $secret->body['login_url'];
    }

    /**
     * Whether Hostler answers, takes this token, knows the server, and reaches it.
     *
     * @throws Failure when not
     */
    public function check(string $server): void
    {
        $this->startClock();
        $this->read('/v1/servers/' . rawurlencode($server));
        $job = $this->submit(['kind' => 'check_connection', 'server' => $server], null)->body;
        $this->done($this->wait($job));
    }

    /**
     * Whether a server's panel takes a password as it is: some change characters like `&` or `;`, and the account
     * would have another password than the platform has stored.
     */
    public function takesPassword(string $server, string $password): bool
    {
        $rule = $this->read('/v1/servers/' . rawurlencode($server))['rules']['password'] ?? null;
        if ($rule === null) {
            return true;
        }
        // Whoever uses other letters than ASCII ones is refused by the next test anyway.
        $length = strlen($password);
        return $length >= $rule['min_length']
            && $length <= $rule['max_length']
            && strspn($password, $rule['alphabet']) === $length;
    }

    /** The names of a server's packages. */
    public function packages(string $server): array
    {
        $answer = $this->read('/v1/servers/' . rawurlencode($server) . '/packages');
        return array_map(static fn (array $package): string => (string) $package['name'], $answer['items']);
    }

    /** This month's use of all the platform's accounts on a server. */
    public function usage(string $server): array
    {
        return $this->read('/v1/servers/' . rawurlencode($server) . '/usage');
    }

    /** This month's use of one account; null when there is no such account. */
    public function usageOf(string $server, string $reference): ?array
    {
        $path = '/v1/servers/' . rawurlencode($server) . '/usage?reference=' . rawurlencode($reference);
        return $this->read($path)[0] ?? null;
    }

    /** The platform's accounts on a server that are there, in all pages. */
    public function accounts(string $server): array
    {
        $found = [];
        $cursor = '';
        do {
            $path = '/v1/servers/' . rawurlencode($server) . '/accounts?limit=200' . $cursor;
            $page = $this->read($path);
            foreach ($page['items'] as $account) {
                if (in_array($account['state'], ['active', 'suspended'], true)) {
                    $found[] = $account;
                }
            }
            $cursor = '&cursor=' . rawurlencode((string) $page['next_cursor']);
        } while ($page['next_cursor'] !== null);
        return $found;
    }

    /** The account of a reference on a server, if it is there. */
    public function account(string $server, string $reference): ?array
    {
        $job = $this->newestJob($reference);
        if ($job === null || $job['account'] === null) {
            return null;
        }
        $account = $this->read('/v1/accounts/' . rawurlencode($job['account']['id']));
        return $account['server'] === $server ? $account : null;
    }

    /** The newest job of a live account. */
    public function newestJob(string $reference): ?array
    {
        $page = $this->read('/v1/jobs?limit=1&account=' . rawurlencode($reference));
        return $page['items'][0] ?? null;
    }

    private function startClock(): void
    {
        $this->until = microtime(true) + $this->patience;
    }

    private function changeNow(string $kind, string $reference, array $account, string $reason): array
    {
        $request = ['kind' => $kind, 'account' => ['reference' => $reference] + $account];
        [$job] = $this->put($reference, $this->withReason($request, $reason));
        $this->done($job);
        return $job;
    }

    private function setPassword(string $reference, string $password): void
    {
        $this->changeNow('change_password', $reference, ['password' => $password], '');
    }

    private function withReason(array $request, string $reason): array
    {
        $reason = trim((string) preg_replace('/[[:cntrl:]]+/', ' ', $reason));
        return $reason === '' ? $request : $request + ['reason' => substr($reason, 0, 500)];
    }

    /**
     * Puts the job of an intent in, or finds it.
     *
     * The key is `REFERENCE:KIND:GENERATION`. A generation is one intent: it stays while its job is not over, so a
     * platform that calls again gets the same job; when that job is over, the next call is another intent and the
     * next generation. Which generation it is, is read from Hostler and not kept on the platform, where it could be
     * lost between the job's end and its being written down. A create that has made an account that is still there
     * is never asked for again.
     *
     * @return array{0: array, 1: bool} the job, and whether it was asked for by this very body
     */
    private function put(string $reference, array $request): array
    {
        $stem = $reference . ':' . $request['kind'] . ':';
        [$generation, $newest] = $this->newestGeneration($stem);
        if ($newest === null || $this->isOver($newest)) {
            $newest = null;
            $generation++;
        }
        $answer = $this->submit($request, $stem . $generation);
        if ($answer->status === 409 && $answer->problem() === 'idempotency_key_reused') {
            if (!in_array($request['kind'], self::TOLD_BY_BODY, true)) {
                // Told in other words since (a customer's address, a reason): the same intent nevertheless.
                return [$this->wait($newest ?? $this->jobOf($stem . $generation)), false];
            }
            $answer = $this->submit($request, $stem . ($generation + 1));
        }
        if ($answer->status >= 300) {
            throw $this->refused($answer);
        }
        return [$this->wait($answer->body), true];
    }

    /** Whether a job's intent was carried out or given up, so that the platform's next call is a new one. */
    private function isOver(array $job): bool
    {
        if ($job['kind'] === 'create' && $job['state'] === 'succeeded') {
            return in_array($job['account']['state'] ?? 'terminated', self::DEAD, true);
        }
        return in_array($job['state'], ['succeeded', 'failed', 'cancelled'], true);
    }

    /**
     * The last generation that has a job, and that job; generations have no gaps.
     *
     * @return array{0: int, 1: array|null}
     */
    private function newestGeneration(string $stem): array
    {
        $job = null;
        $known = 0;
        $free = 1;
        while (($found = $this->jobOf($stem . $free)) !== null) {
            $job = $found;
            $known = $free;
            $free *= 2;
        }
        while ($free - $known > 1) {
            $middle = intdiv($known + $free, 2);
            $found = $this->jobOf($stem . $middle);
            if ($found === null) {
                $free = $middle;
            } else {
                $job = $found;
                $known = $middle;
            }
        }
        return [$known, $job];
    }

    private function jobOf(string $key): ?array
    {
        $page = $this->read('/v1/jobs?limit=1&idempotency_key=' . rawurlencode($key));
        return $page['items'][0] ?? null;
    }

    private function submit(array $request, ?string $key): Answer
    {
        $answer = $this->call('POST', '/v1/jobs?wait=' . $this->left(), $request, $key);
        if ($key === null && $answer->status >= 300) {
            throw $this->refused($answer);
        }
        return $answer;
    }

    /** The job at rest, or as it is when the patience is over. */
    private function wait(?array $job): array
    {
        if ($job === null) {
            throw $this->unreachable('a job that was there is gone');
        }
        while (!in_array($job['state'], self::AT_REST, true) && $this->left() > 0) {
            $job = $this->read('/v1/jobs/' . rawurlencode($job['id']) . '?wait=' . $this->left());
        }
        return $job;
    }

    /** @throws Failure unless the job has succeeded */
    private function done(array $job): void
    {
        if ($job['state'] === 'succeeded') {
            return;
        }
        $which = 'Hostler job ' . $job['id'] . ', ' . $job['kind'] . ', ' . $job['state'];
        $error = $job['error']['message'] ?? '';
        if ($job['state'] === 'failed') {
            $said = $error === '' ? 'The server refused this.' : 'The server refused this: ' . $error;
            throw new Failure($job['error']['code'] ?? 'failed', $said, $which . ' ' . ($job['error']['code'] ?? ''));
        }
        if ($job['state'] === 'held') {
            $said = 'This needs a look by our staff. Nothing is lost; please contact support.';
            throw new Failure('held', $said, $which . ' ' . ($job['error']['code'] ?? '') . ' ' . $error);
        }
        if ($job['state'] === 'cancelled') {
            throw new Failure('cancelled', 'This was cancelled. Please try again.', $which);
        }
        $waits = isset($job['waiting_for']['reason']) ? ', waits for: ' . $job['waiting_for']['reason'] : '';
        $said = 'This takes longer than usual. It goes on by itself; please look again in a few minutes.';
        throw new Failure('pending', $said, $which . $waits);
    }

    private function left(): int
    {
        return (int) min(self::LONGEST_WAIT, max(0, ceil($this->until - microtime(true))));
    }

    /** A GET that must be answered with 200. */
    private function read(string $path): array
    {
        $answer = $this->call('GET', $path);
        if ($answer->status !== 200) {
            throw $this->refused($answer);
        }
        return $answer->body;
    }

    private function refused(Answer $answer): Failure
    {
        $detail = $answer->status . ' ' . $answer->problem() . ': ' . (string) ($answer->body['detail'] ?? '');
        if ($answer->status === 422) {
            $said = [];
            foreach ($answer->body['errors'] ?? [] as $error) {
                $said[] = str_replace('account.', '', (string) $error['field']) . ' ' . $error['message'];
            }
            return new Failure('invalid', 'This cannot be done as ordered: ' . implode('; ', $said), $detail);
        }
        if ($answer->status === 409) {
            return new Failure($answer->problem(), 'This cannot be done: ' . ($answer->body['detail'] ?? ''), $detail);
        }
        if (in_array($answer->status, [401, 403, 404], true)) {
            $said = 'The billing system may not do this on the server. Please contact support.';
            return new Failure('not_allowed', $said, $detail);
        }
        return $this->unreachable($detail);
    }

    private function unreachable(string $detail): Failure
    {
        $said = 'The hosting system cannot be reached at the moment. Nothing is lost; please try again later.';
        return new Failure('unreachable', $said, $detail);
    }

    private function call(string $method, string $path, ?array $body = null, ?string $key = null): Answer
    {
        $seconds = self::AT_ONCE;
        if (preg_match('/[?&]wait=(\d+)/', $path, $found) === 1) {
            $seconds = self::CONNECT + (int) $found[1];
        }
        $headers = ['Accept: application/json', 'Authorization: Bearer ' . $this->token];
        $curl = curl_init($this->base . $path);
        $options = [
            CURLOPT_CUSTOMREQUEST => $method,
            CURLOPT_RETURNTRANSFER => true,
            CURLOPT_FOLLOWLOCATION => false,
            CURLOPT_CONNECTTIMEOUT => self::CONNECT,
            CURLOPT_TIMEOUT => $seconds,
        ];
        if ($body !== null) {
            $headers[] = 'Content-Type: application/json';
            // An empty array would become a list.
            $options[CURLOPT_POSTFIELDS] = json_encode((object) $body, JSON_THROW_ON_ERROR);
        }
        if ($key !== null) {
            $headers[] = 'Idempotency-Key: ' . $key;
        }
        curl_setopt_array($curl, $options + [CURLOPT_HTTPHEADER => $headers]);
        $text = curl_exec($curl);
        $status = (int) curl_getinfo($curl, CURLINFO_RESPONSE_CODE);
        $error = curl_error($curl);
        $this->tell($method, $path, $body, $key, $status, is_string($text) ? $text : '', $error);
        if (!is_string($text) || $status === 0) {
            throw $this->unreachable($error);
        }
        $decoded = json_decode($text, true);
        if (!is_array($decoded)) {
            throw $this->unreachable($status . ' and no JSON');
        }
        return new Answer($status, $decoded);
    }

    /** One line of what was asked and answered, of names that hold no secret. */
    private function tell(
        string $method,
        string $path,
        ?array $body,
        ?string $key,
        int $status,
        string $text,
        string $error
    ): void {
        $line = $method . ' ' . $path;
        if (isset($body['kind'])) {
            $line .= ' ' . $body['kind'] . ($key === null ? '' : ' ' . $key);
        }
        $answer = json_decode($text, true);
        $words = [];
        foreach (['id', 'state', 'type', 'detail'] as $name) {
            if (is_array($answer) && isset($answer[$name]) && is_string($answer[$name])) {
                $words[] = $name . '=' . $answer[$name];
            }
        }
        $said = $error === '' ? implode(' ', $words) : $error;
        ($this->note)($line . ' -> ' . $status . ' ' . $said);
    }
}

/** A login name from a domain that is the same each time, so that a platform may ask for it again and again. */
function steady_username(string $domain): string
{
    $letters = preg_replace('/[^a-z0-9]/', '', strtolower($domain));
    $letters = ltrim((string) $letters, '0123456789');
    // Panels refuse names that begin so.
    if ($letters === '' || strpos($letters, 'test') === 0) {
        $letters = 'h' . $letters;
    }
    $sum = base_convert(substr(hash('sha256', strtolower($domain)), 0, 10), 16, 36);
    return substr($letters, 0, 4) . str_pad(substr($sum, -4), 4, '0', STR_PAD_LEFT);
}

/** A password that every panel takes. */
function new_password(): string
{
    $letters = 'abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789';
    $password = '';
    for ($i = 0; $i < 18; $i++) {
        $password .= $letters[random_int(0, strlen($letters) - 1)];
    }
    // At least one of each sort, whatever was drawn.
    return $password . 'a' . 'K' . random_int(2, 9) . '-';
}
