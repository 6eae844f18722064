//! What the client of a faulty call gets to see.

use serde::{Deserialize, Serialize};

use super::WrongJson;

/// What the client gets to see.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Reply {
    /// What the panel would say.
    #[default]
    Normal,
    /// The same, but only after this time.
    Late {
        /// Milliseconds of real time.
        ms: u64,
    },
    /// Nothing; the connection stays open until the client gives up.
    Never,
    /// All headers, then this many bytes of the body, then the connection ends.
    CutBody {
        /// Bytes of the body.
        after: usize,
    },
    /// This many bytes counted from the status line on, then the connection ends. 0 is the empty reply.
    CutResponse {
        /// Bytes of the whole response.
        after: usize,
    },
    /// The connection is reset (RST).
    Reset,
    /// Status 200 and the panel's login page.
    Html,
    /// Another status with this body.
    Status {
        /// For example 503.
        code: u16,
        /// The body, usually a proxy's error page.
        #[serde(default)]
        body: String,
    },
    /// Status 429.
    Throttled {
        /// The header's text as it is: `120`, a date, nonsense. Empty leaves the header out.
        #[serde(default)]
        retry_after: String,
    },
    /// Status 401, as the panel does it.
    Unauthorized,
    /// Status 403, as the panel does it.
    Forbidden,
    /// The panel's answer, spoilt.
    WrongJson(WrongJson),
    /// A redirect.
    Redirect {
        /// 301, 302, 303, 307 or 308.
        status: u16,
        /// The `Location`.
        to: String,
    },
    /// Status 200 and a body that never ends.
    Endless,
    /// Headers that never end.
    EndlessHeaders,
    /// The panel's answer, drop by drop, the headers too.
    Slow {
        /// Bytes in a second, at least 1.
        bytes_per_second: u32,
    },
    /// Status 200 and an empty body.
    Empty,
    /// These bytes instead of an HTTP response.
    Raw {
        /// What is written before the connection ends.
        text: String,
    },
}

impl Reply {
    /// A short name for lists of what happened.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Reply::Normal => "normal",
            Reply::Late { .. } => "late",
            Reply::Never => "never",
            Reply::CutBody { .. } => "cut_body",
            Reply::CutResponse { .. } => "cut_response",
            Reply::Reset => "reset",
            Reply::Html => "html",
            Reply::Status { .. } => "status",
            Reply::Throttled { .. } => "throttled",
            Reply::Unauthorized => "unauthorized",
            Reply::Forbidden => "forbidden",
            Reply::WrongJson(_) => "wrong_json",
            Reply::Redirect { .. } => "redirect",
            Reply::Endless => "endless",
            Reply::EndlessHeaders => "endless_headers",
            Reply::Slow { .. } => "slow",
            Reply::Empty => "empty",
            Reply::Raw { .. } => "raw",
        }
    }
}
