<?php

/**
 * What the pretend platforms have in common: a database that is a JSON file, written at each change so that a
 * process that is killed leaves what it had stored, and the way a test asks and is answered:
 * `php PLATFORM.php ROOT DATABASE FUNCTION ARGUMENTS`, and one JSON document on standard output.
 */

declare(strict_types=1);

// A notice, a warning or a deprecation of a module is a failure.
set_error_handler(static function (int $level, string $text, string $file, int $line): bool {
    throw new ErrorException($text, 0, $level, $file, $line);
});

final class Book
{
    private static string $path = '';
    private static array $tables = [];

    public static function open(string $path): void
    {
        self::$path = $path;
        self::$tables = json_decode((string) file_get_contents($path), true, 64, JSON_THROW_ON_ERROR);
    }

    public static function row(string $table, int|string $id): array
    {
        return self::$tables[$table][$id] ?? throw new OutOfBoundsException("no row $id in $table");
    }

    public static function rows(string $table): array
    {
        return self::$tables[$table] ?? [];
    }

    public static function change(string $table, int|string $id, array $fields): void
    {
        self::write(static function () use ($table, $id, $fields): void {
            self::$tables[$table][$id] = array_replace(self::row($table, $id), $fields);
        });
    }

    public static function append(string $table, mixed $entry): void
    {
        self::write(static function () use ($table, $entry): void {
            self::$tables[$table][] = $entry;
        });
    }

    /** Behind a lock and on what is stored now: two processes may be at it. */
    private static function write(callable $change): void
    {
        $lock = fopen(self::$path . '.lock', 'c');
        flock($lock, LOCK_EX);
        self::open(self::$path);
        $change();
        $text = json_encode(self::$tables, JSON_PRETTY_PRINT | JSON_THROW_ON_ERROR);
        file_put_contents(self::$path . '.new', $text);
        rename(self::$path . '.new', self::$path);
        fclose($lock);
    }
}

[, $root, $database, $function, $arguments] = $argv;
Book::open($database);

/** @param callable(string, array): mixed $act */
function answer(callable $act): void
{
    global $function, $arguments;
    ob_start();
    $answer = $act($function, json_decode($arguments, true, 64, JSON_THROW_ON_ERROR));
    $echoed = ob_get_clean();
    echo json_encode(['answer' => $answer, 'echoed' => $echoed], JSON_THROW_ON_ERROR);
}
