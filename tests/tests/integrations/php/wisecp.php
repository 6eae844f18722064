<?php

/** WISECP as a hosting module sees it: the base class, orders, helpers, and what it does with the answers. */

declare(strict_types=1);

require __DIR__ . '/platform.php';

class ServerModule
{
    public $_name;
    public $force_setup = true;
    public $error = '';
    public $server = [];
    public $options = [];
    public $order = [];
    public $user = [];
    public $product = [];
    public $config = [];
    public $lang = [];

    public function __construct($server, $options = [])
    {
        global $root;
        $this->server = $server;
        $this->options = $options;
        $this->config = $options['config'] ?? [];
        $this->lang = require $root . '/coremio/modules/Servers/' . str_replace('_Module', '', $this->_name) . '/lang/en.php';
        $this->define_server_info($server);
    }

    protected function define_server_info($server = [])
    {
    }

    public function set_order(array $order): void
    {
        $this->order = $order;
        $this->options = $order['options'];
    }

    protected static function save_log($type, $module, $function, $request, $response, $trace): void
    {
        Book::append('log', func_get_args());
    }
}

final class Utility
{
    public static array $redirects = [];

    public static function jencode($value): string
    {
        return json_encode($value, JSON_THROW_ON_ERROR);
    }

    public static function redirect(string $url): void
    {
        self::$redirects[] = $url;
    }
}

final class Orders
{
    public static function set($id, array $fields): void
    {
        if (isset($fields['options'])) {
            $fields['options'] = json_decode($fields['options'], true, 64, JSON_THROW_ON_ERROR);
        }
        Book::change('users_products', $id, $fields);
    }
}

require $root . '/coremio/modules/Servers/Hostler/Hostler.php';

const BECOMES = ['suspend' => 'suspended', 'unsuspend' => 'active', 'terminate' => 'cancelled'];

answer(static function (string $function, array $arguments): array {
    global $root;
    if ($function === 'config') {
        return require $root . '/coremio/modules/Servers/Hostler/config.php';
    }
    $server = Book::row('servers', 1);
    if (!isset($arguments['order'])) {
        $module = new Hostler_Module($server);
        return ['returned' => $module->$function(), 'error' => $module->error];
    }
    $order = Book::row('users_products', $arguments['order']);
    $module = new Hostler_Module($server, $order['options']);
    $module->set_order($order);
    $module->user = Book::row('users', $order['owner_id']);
    $with = $arguments['with'] ?? [];
    if ($function === 'create') {
        $with = [$order['options']['domain'], $order['options']];
    }
    $returned = $module->$function(...$with);
    if ($function === 'create' && is_array($returned)) {
        $stored = Book::row('users_products', $order['id'])['options'];
        Book::change('users_products', $order['id'], [
            'options' => array_replace($stored, $returned),
            'status' => 'active',
        ]);
    }
    if ($returned === true && isset(BECOMES[$function])) {
        Book::change('users_products', $order['id'], ['status' => BECOMES[$function]]);
    }
    return ['returned' => $returned, 'error' => $module->error, 'redirects' => Utility::$redirects];
});
