//! Statements about many rows whose text does not depend on how many they are.
//!
//! The rows' values go along as one parameter a column (PostgreSQL, arrays) or as one for all (MariaDB and
//! SQLite, JSON). With a parameter for each value there would be ten thousand of them, and the text would be
//! parsed and planned anew for every number of rows.

mod cells;

use sea_orm::{DbBackend, Statement, Value};

use cells::{Cells, array, json};

/// Rows that one statement is about. In its text they are `t` with the columns `c1`, `c2`, ...
#[derive(Debug)]
pub(super) struct Rows {
    backend: DbBackend,
    same: Vec<(&'static str, Value)>,
    names: Vec<&'static str>,
    columns: Vec<Cells>,
}

impl Rows {
    pub(super) fn new(backend: DbBackend) -> Self {
        Self {
            backend,
            same: Vec::new(),
            names: Vec::new(),
            columns: Vec::new(),
        }
    }

    /// A column that says the same in every row.
    pub(super) fn same(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.same.push((name, value.into()));
        self
    }

    /// A column of numbers.
    pub(super) fn ints<T: Into<Option<i64>>>(
        mut self,
        name: &'static str,
        cells: impl Iterator<Item = T>,
    ) -> Self {
        self.names.push(name);
        self.columns
            .push(Cells::Ints(cells.map(Into::into).collect()));
        self
    }

    /// A column of texts.
    pub(super) fn texts<T: ToString>(
        mut self,
        name: &'static str,
        cells: impl Iterator<Item = Option<T>>,
    ) -> Self {
        self.names.push(name);
        let cells = cells.map(|cell| cell.map(|cell| cell.to_string()));
        self.columns.push(Cells::Texts(cells.collect()));
        self
    }

    /// Inserts them all. `ending` is what follows: `RETURNING`, or [`over`].
    pub(super) fn insert_into(self, table: &str, ending: &str) -> Statement {
        let mut sql = Sql::new(self.backend);
        let same = self.same.iter().map(|(name, _)| *name);
        let names: Vec<&str> = same.chain(self.names).collect();
        sql.put(&format!(
            "INSERT INTO {table} ({}) SELECT ",
            names.join(", ")
        ));
        for (_, value) in self.same {
            sql.bind(value);
            sql.put(", ");
        }
        sql.put(&listed(&self.columns, |n, _| format!("t.c{n}")));
        sql.put(" FROM ");
        sql.rows(&self.columns);
        // Without a condition SQLite takes the word ON of what follows for one of a join.
        sql.put(" WHERE true ");
        sql.put(ending);
        sql.statement()
    }

    /// Which of them - what `c1` says - have a row in `table` where `same` and `only` hold, with one parameter in
    /// the place of `{}`. They are gone through one after the other, each by an index: what the planners
    /// think of a list that they do not know is wrong.
    pub(super) fn found_in(self, table: &str, same: &str, only: (&str, Value)) -> Statement {
        let mut sql = Sql::new(self.backend);
        sql.put("SELECT DISTINCT t.c1 FROM ");
        sql.rows(&self.columns);
        let join = match self.backend {
            DbBackend::MySql => "STRAIGHT_JOIN",
            _ => "CROSS JOIN",
        };
        sql.put(&format!(" {join} {table} WHERE {same}"));
        sql.condition(Some(only));
        sql.statement()
    }

    /// Changes the rows of `table` whose `key` is in `c1`, where `only` holds.
    pub(super) fn update(self, table: &str, key: &str, set: &str, only: &str) -> Statement {
        let mut sql = Sql::new(self.backend);
        let same = format!("{table}.{key} = t.c1");
        if self.backend == DbBackend::MySql {
            sql.put("UPDATE ");
            sql.rows(&self.columns);
            sql.put(&format!(
                " STRAIGHT_JOIN {table} ON {same} SET {set} WHERE {only}"
            ));
        } else {
            sql.put(&format!("UPDATE {table} SET {set} FROM "));
            sql.rows(&self.columns);
            sql.put(&format!(" WHERE {same} AND {only}"));
        }
        sql.statement()
    }
}

/// What an insert does about rows that are there already: writes these columns over them.
pub(super) fn over(backend: DbBackend, key: &str, columns: &[&str]) -> String {
    let (begin, from) = match backend {
        DbBackend::MySql => ("ON DUPLICATE KEY UPDATE ".to_owned(), ("VALUES(", ")")),
        _ => (
            format!("ON CONFLICT ({key}) DO UPDATE SET "),
            ("excluded.", ""),
        ),
    };
    let sets = columns
        .iter()
        .map(|column| format!("{column} = {}{column}{}", from.0, from.1));
    begin + &sets.collect::<Vec<_>>().join(", ")
}

/// Rows that are read by a list of numbers.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    /// What is read.
    pub(super) columns: &'a str,
    /// Of which table.
    pub(super) table: &'a str,
    /// The column that the list is about.
    pub(super) key: &'a str,
    /// What else must hold, with one parameter in the place of `{}`.
    pub(super) only: Option<(&'a str, Value)>,
    /// Whether they are locked.
    pub(super) locked: bool,
}

impl Wanted<'_> {
    /// The rows with these numbers, found by the key's index and locked in the list's order. It must be
    /// ascending: everybody locks so.
    pub(super) fn of(self, backend: DbBackend, list: &[i64]) -> Statement {
        let mut sql = Sql::new(backend);
        let list = [Cells::Ints(list.iter().copied().map(Some).collect())];
        let (columns, table) = (self.columns, self.table);
        let same = format!("{table}.{} = t.c1", self.key);
        match backend {
            // One look into the index for each number: what the planner thinks of a list that it does not
            // know is wrong, and it reads the whole month of all servers instead. OFFSET keeps it from that.
            DbBackend::Postgres => {
                sql.put("SELECT found.* FROM ");
                sql.rows(&list);
                sql.put(&format!(
                    " CROSS JOIN LATERAL (SELECT {columns} FROM {table} WHERE {same}"
                ));
                sql.condition(self.only);
                // The weakest lock that keeps writers out: those who only refer to the row are not held up.
                sql.put(" OFFSET 0");
                sql.put(if self.locked {
                    " FOR NO KEY UPDATE"
                } else {
                    ""
                });
                sql.put(") AS found");
            }
            // Read in the order of the join, the list first.
            DbBackend::MySql => {
                sql.put(&format!("SELECT {columns} FROM "));
                sql.rows(&list);
                sql.put(&format!(" STRAIGHT_JOIN {table} ON {same} WHERE true"));
                sql.condition(self.only);
                sql.put(if self.locked { " FOR UPDATE" } else { "" });
            }
            _ => {
                sql.put(&format!("SELECT {columns} FROM "));
                sql.rows(&list);
                sql.put(&format!(" CROSS JOIN {table} WHERE {same}"));
                sql.condition(self.only);
            }
        }
        sql.statement()
    }
}

fn listed(columns: &[Cells], write: impl Fn(usize, &Cells) -> String) -> String {
    let columns = columns.iter().enumerate();
    let all: Vec<String> = columns.map(|(n, cells)| write(n + 1, cells)).collect();
    all.join(", ")
}

/// A statement in the making.
struct Sql {
    backend: DbBackend,
    text: String,
    values: Vec<Value>,
}

impl Sql {
    fn new(backend: DbBackend) -> Self {
        Self {
            backend,
            text: String::new(),
            values: Vec::new(),
        }
    }

    fn put(&mut self, text: &str) {
        self.text.push_str(text);
    }

    fn bind(&mut self, value: Value) {
        self.values.push(value);
        match self.backend {
            DbBackend::Postgres => {
                let place = format!("${}", self.values.len());
                self.put(&place);
            }
            _ => self.put("?"),
        }
    }

    /// What else must hold, with its one parameter.
    fn condition(&mut self, only: Option<(&str, Value)>) {
        let Some((condition, value)) = only else {
            return;
        };
        let (before, after) = condition.split_once("{}").unwrap_or((condition, ""));
        self.put(" AND ");
        self.put(before);
        self.bind(value);
        self.put(after);
    }

    /// An array, sent as a text: then nobody on the way has to know arrays.
    fn array(&mut self, cells: &Cells) {
        self.bind(array(cells).into());
        self.put(match cells {
            Cells::Ints(_) => "::bigint[]",
            Cells::Texts(_) => "::text[]",
        });
    }

    /// The rows as a table with the name `t`.
    fn rows(&mut self, columns: &[Cells]) {
        match self.backend {
            DbBackend::Postgres => {
                self.put("unnest(");
                for (place, cells) in columns.iter().enumerate() {
                    self.put(if place == 0 { "" } else { ", " });
                    self.array(cells);
                }
                let names = listed(columns, |n, _| format!("c{n}"));
                self.put(&format!(") AS t({names})"));
            }
            DbBackend::MySql => {
                self.put("JSON_TABLE(");
                self.bind(json(columns).into());
                let typed = listed(columns, |n, cells| {
                    let of = match cells {
                        Cells::Ints(_) => "BIGINT",
                        // As the tables have it, or no index would be of use.
                        Cells::Texts(_) => "VARCHAR(500) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
                    };
                    format!("c{n} {of} PATH '$[{}]'", n - 1)
                });
                self.put(&format!(", '$[*]' COLUMNS ({typed})) AS t"));
            }
            _ => {
                let named = listed(columns, |n, _| format!("value->>{} AS c{n}", n - 1));
                self.put(&format!("(SELECT {named} FROM json_each("));
                self.bind(json(columns).into());
                self.put(")) AS t");
            }
        }
    }

    fn statement(self) -> Statement {
        Statement::from_sql_and_values(self.backend, self.text, self.values)
    }
}
