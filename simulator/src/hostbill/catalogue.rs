//! What the supplier sells.

use serde_json::{Value, json};

use super::answer::{Said, money};
use super::paths::Path;

/// One product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Product {
    pub(super) id: i64,
    pub(super) category: i64,
    pub(super) name: &'static str,
    /// For a month, in hundredths; 0 makes no invoice.
    pub(super) price: i64,
    pub(super) machines: bool,
    /// A form that must be filled in, and its items.
    pub(super) form: Option<(i64, [i64; 2])>,
}

const fn product(id: i64, category: i64, name: &'static str, price: i64) -> Product {
    Product {
        id,
        category,
        name,
        price,
        machines: category == 2,
        form: None,
    }
}

/// All of them. Two share a name.
pub(super) const PRODUCTS: [Product; 7] = [
    product(11, 1, "bronze", 0),
    product(12, 1, "silver", 999),
    product(13, 1, "gold", 1999),
    product(14, 1, "twin", 499),
    product(21, 2, "twin", 599),
    product(22, 2, "cloud", 2999),
    Product {
        form: Some((1618, [10_330, 10_331])),
        ..product(15, 1, "tailored", 1499)
    },
];

const CATEGORIES: [(i64, &str); 2] = [(1, "Hosting"), (2, "Cloud")];

pub(super) fn by_id(id: i64) -> Option<Product> {
    PRODUCTS.into_iter().find(|one| one.id == id)
}

pub(super) fn category(path: &Path) -> Said {
    match path.parts().as_slice() {
        ["category"] => {
            let row = |(id, name): (i64, &str)| json!({"id": id.to_string(), "name": name, "description": "", "slug": name.to_lowercase()});
            Ok(json!({"categories": CATEGORIES.map(row)}))
        }
        ["category", _, "product"] => {
            let of = PRODUCTS
                .iter()
                .filter(|one| Some(one.category) == path.number(1));
            let rows: Vec<Value> = of.map(row).collect();
            Ok(json!({"products": rows}))
        }
        _ => Err("invalid method".to_owned()),
    }
}

fn row(one: &Product) -> Value {
    json!({
        "id": one.id.to_string(), "type": "1", "name": one.name, "stock": "0", "paytype": "Regular",
        "description": "", "qty": "0", "tags": [],
        "periods": [
            {"title": "m", "value": "m", "price": one.price as f64 / 100.0, "setup": 0, "selected": true},
            {"title": "a", "value": "a", "price": one.price as f64 / 10.0, "setup": 0, "selected": false},
        ],
    })
}

/// The form of an order.
pub(super) fn form(one: &Product) -> Value {
    let item = |id: &i64| json!({"title": format!("choice {id}"), "value": 1, "id": *id, "price": 0, "setup": 0, "selected": false});
    let forms: Vec<Value> = one
        .form
        .iter()
        .map(|(id, items)| {
            let items: Vec<Value> = items.iter().map(item).collect();
            json!({"type": "select", "title": "Choice", "id": id.to_string(), "name": format!("custom[{id}]"), "required": true, "multiple": false, "items": items})
        })
        .collect();
    json!({"product": {
        "id": one.id.to_string(), "category_name": "Hosting", "category_id": one.category.to_string(),
        "name": one.name, "price": one.price as f64 / 100.0, "recurring": "m", "setup": 0,
        "config": {
            "product": [
                {"type": "select", "title": "pickcycle", "id": "cycle", "name": "cycle", "items": [
                    {"title": format!("{} m", money(one.price)), "value": "m", "price": one.price as f64 / 100.0, "selected": true},
                    {"title": format!("{} a", money(one.price * 10)), "value": "a", "price": one.price as f64 / 10.0, "selected": false},
                ]},
                {"type": "input", "title": "hostname", "id": "domain", "name": "domain", "value": null},
            ],
            "forms": forms, "addons": [], "subproducts": [],
        },
        "recurring_price": one.price as f64 / 100.0, "prorata_date": null,
    }})
}
