//! The work between a request's arrival and its answer.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, RwLock};
use std::time::Duration;

use chrono::NaiveDate;
use tokio::sync::{Barrier, watch};

use crate::chance::Chance;
use crate::clock::{PanelClock, pause};
use crate::faults::{Applied, Fault, Reply, Switchboard};
use crate::http::{Request, Response};
use crate::ledger::{Ledger, Work, lock};
use crate::options::{Growth, Latency, Options};
use crate::panel::{Call, Context, Panel, Step};
use crate::seen::{RequestSeen, without_secrets};
use crate::tls::Identity;

/// Everything that the connections of one simulator share.
pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) clock: PanelClock,
    pub(crate) faults: Switchboard,
    pub(crate) ledger: Ledger,
    pub(crate) identity: RwLock<Identity>,
    /// Counts the requests; who waits for one watches it.
    pub(crate) received: watch::Sender<u64>,
    /// The same for the side effects.
    pub(crate) effects: watch::Sender<u64>,
    state: Mutex<State>,
    seen: Mutex<Vec<RequestSeen>>,
    ordinal: AtomicU64,
    meeting: Mutex<Option<(usize, Arc<Barrier>)>>,
}

struct State {
    panel: Panel,
    deferred: Vec<Deferred>,
    /// The day of the nightly jobs that ran last.
    day: Option<NaiveDate>,
}

/// A call whose client may be gone, and which takes effect later.
struct Deferred {
    due_ms: i64,
    request: Request,
    work: Work,
    username: String,
}

/// A request that was read, counted and given its fault.
pub(crate) struct Received {
    pub(crate) request: Request,
    pub(crate) call: Call,
    pub(crate) ordinal: u64,
    pub(crate) fault: Option<Fault>,
    work: Work,
}

impl Shared {
    pub(crate) fn new(options: Options, identity: Identity, ledger: Ledger) -> Self {
        let clock = PanelClock::new(options.now, options.now_offset, options.zone_minutes);
        let faults = Switchboard::new(options.seed);
        for fault in options.faults.iter().flat_map(|plan| &plan.faults) {
            faults.add(fault.clone());
        }
        let panel = Panel::new(&options, &clock);
        Shared {
            faults,
            ledger,
            identity: RwLock::new(identity),
            received: watch::Sender::new(0),
            effects: watch::Sender::new(0),
            state: Mutex::new(State {
                panel,
                deferred: Vec::new(),
                day: None,
            }),
            seen: Mutex::new(Vec::new()),
            ordinal: AtomicU64::new(0),
            meeting: Mutex::new(None),
            clock,
            options,
        }
    }

    /// The panel's state, with everything done that was due by the panel's clock.
    pub(crate) fn with_panel<T>(&self, look: impl FnOnce(&mut Panel) -> T) -> T {
        look(&mut self.state().panel)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        let mut state = lock(&self.state);
        self.run_due(&mut state);
        let today = self.clock.local(self.clock.now_ms()).date_naive();
        if state.day != Some(today) {
            state.day = Some(today);
            let grows = self.options.growth == Growth::Daily;
            state.panel.nightly(self.options.seed, today, grows);
        }
        state
    }

    pub(crate) fn seen(&self) -> Vec<RequestSeen> {
        lock(&self.seen).clone()
    }

    /// Counts a request and decides what is to go wrong with it.
    pub(crate) fn receive(&self, request: Request) -> Received {
        let call = self.with_panel(|panel| panel.identify(&request));
        let ordinal = self.ordinal.fetch_add(1, Ordering::SeqCst) + 1;
        let now_ms = self.clock.now_ms();
        let fault = self
            .faults
            .strike(&crate::faults::candidate(&call, ordinal, now_ms));
        let named = if call.changes {
            call.username.as_deref().unwrap_or_default()
        } else {
            ""
        };
        let work = self.ledger.begin(&call.name, ordinal, named, now_ms);
        lock(&self.seen).push(RequestSeen {
            ordinal,
            at_ms: now_ms,
            call: call.name.clone(),
            method: request.method.clone(),
            path: request.path.clone(),
            params: without_secrets(&call.params),
            username: call.username.clone(),
            had_authorization: call.had_authorization,
            fault: fault.as_ref().map(|fault| fault.reply.name().to_owned()),
        });
        self.received.send_replace(ordinal);
        Received {
            request,
            call,
            ordinal,
            fault,
            work,
        }
    }

    /// Does what the request asks for, as far as its fault lets it.
    pub(crate) async fn answer(self: &Arc<Self>, received: &Received) -> Response {
        let applied = received
            .fault
            .as_ref()
            .map_or(Applied::Yes, |fault| fault.applied);
        let wait = self.latency(received);
        match applied {
            Applied::Yes => self.apply(received, wait, false).await,
            Applied::Half => self.apply(received, wait, true).await,
            Applied::No => self.pretend(received),
            Applied::AfterSeconds(seconds) => {
                let response = self.pretend(received);
                self.defer(received, seconds);
                response
            }
        }
    }

    async fn apply(self: &Arc<Self>, received: &Received, wait: Duration, half: bool) -> Response {
        if !received.call.two_steps {
            pause(wait).await;
        }
        let begun = {
            let mut state = self.state();
            let mut context = Context::new(&self.options, &self.clock, half);
            match state.panel.begin(&received.request, &mut context) {
                Step::Reply(response) => Ok((response, self.note(&received.work, context))),
                Step::Later(pending) => Err(pending),
            }
        };
        let (response, seq) = match begun {
            Ok(done) => done,
            Err(pending) => {
                self.meet().await;
                pause(wait).await;
                let mut state = self.state();
                let mut context = Context::new(&self.options, &self.clock, half);
                let response = state.panel.finish(*pending, &mut context);
                (response, self.note(&received.work, context))
            }
        };
        match seq {
            Ok(seq) if self.sync_aside(seq).await.is_ok() => response,
            // An effect that the ledger lost would be a lie: the client must not see a success.
            _ => Response::new(500, "text/plain", "the ledger cannot be written"),
        }
    }

    /// What the panel would say, without doing it.
    fn pretend(&self, received: &Received) -> Response {
        let mut panel = self.state().panel.clone();
        let mut context = Context::new(&self.options, &self.clock, false);
        match panel.begin(&received.request, &mut context) {
            Step::Reply(response) => response,
            Step::Later(pending) => panel.finish(*pending, &mut context),
        }
    }

    fn defer(self: &Arc<Self>, received: &Received, seconds: u64) {
        let delay = i64::try_from(seconds)
            .unwrap_or(i64::MAX)
            .saturating_mul(1000);
        let due_ms = self.clock.now_ms().saturating_add(delay);
        let username = received.call.username.clone().unwrap_or_default();
        {
            let mut state = lock(&self.state);
            state.panel.under_way(&received.call.name, &username, true);
            let (request, work) = (received.request.clone(), received.work.clone());
            state.deferred.push(Deferred {
                due_ms,
                request,
                work,
                username,
            });
        }
        let shared = Arc::downgrade(self);
        // Someone must look at the clock even when nobody asks the panel for anything.
        tokio::spawn(async move {
            loop {
                pause(Duration::from_millis(100)).await;
                let Some(shared) = shared.upgrade() else {
                    return;
                };
                if shared.state().deferred.is_empty() {
                    return;
                }
            }
        });
    }

    fn run_due(&self, state: &mut State) {
        let now_ms = self.clock.now_ms();
        state.deferred.sort_by_key(|deferred| deferred.due_ms);
        let due = state
            .deferred
            .iter()
            .take_while(|deferred| deferred.due_ms <= now_ms)
            .count();
        for deferred in state.deferred.drain(..due).collect::<Vec<_>>() {
            state
                .panel
                .under_way(&deferred.work.call, &deferred.username, false);
            let mut context = Context::new(&self.options, &self.clock, false);
            if let Step::Later(pending) = state.panel.begin(&deferred.request, &mut context) {
                state.panel.finish(*pending, &mut context);
            }
            // Nobody waits for an answer that could still be turned into a failure.
            let _ = self
                .note(&deferred.work, context)
                .and_then(|seq| self.sync(seq));
        }
    }

    /// How many calls wait for their time.
    pub(crate) fn deferred(&self) -> usize {
        self.state().deferred.len()
    }

    fn note(&self, work: &Work, context: Context<'_>) -> std::io::Result<u64> {
        let seq = self
            .ledger
            .append(work, context.effects, self.clock.now_ms())?;
        self.effects.send_replace(seq);
        Ok(seq)
    }

    /// Waits for the disk without holding up the runtime.
    async fn sync_aside(self: &Arc<Self>, seq: u64) -> std::io::Result<()> {
        if self.ledger.path().is_none() {
            return Ok(());
        }
        let shared = Arc::clone(self);
        let synced = tokio::task::spawn_blocking(move || shared.sync(seq)).await;
        synced.map_err(std::io::Error::other)?
    }

    fn sync(&self, seq: u64) -> std::io::Result<()> {
        self.ledger.sync(seq)
    }

    /// Makes the next `count` Froxlor adds wait for each other between looking and writing.
    pub(crate) fn arrange_meeting(&self, count: usize) {
        *lock(&self.meeting) = (count > 1).then(|| (count, Arc::new(Barrier::new(count))));
    }

    async fn meet(&self) {
        let barrier = {
            let mut meeting = lock(&self.meeting);
            let Some((left, barrier)) = meeting.as_mut() else {
                return;
            };
            let barrier = Arc::clone(barrier);
            *left -= 1;
            if *left == 0 {
                *meeting = None;
            }
            barrier
        };
        // One that waits in vain goes on alone: a client that serialises its adds must not hang for ever.
        let _ = tokio::time::timeout(Duration::from_secs(5), barrier.wait()).await;
    }

    fn latency(&self, received: &Received) -> Duration {
        match self.options.latency {
            Latency::None => Duration::ZERO,
            Latency::Realistic { scale } => {
                let (low, high) = received.call.cost_ms;
                let mut chance = Chance::new(self.options.seed ^ received.ordinal);
                let ms = chance.between(low, high) as f64 * scale.clamp(0.0, 100.0);
                Duration::from_secs_f64(ms / 1000.0)
            }
        }
    }

    /// The response for a fault's reply, where that replaces the panel's own.
    pub(crate) fn replaced(&self, reply: &Reply, response: Response) -> Response {
        let json = "application/json";
        match reply {
            Reply::Html => self.with_panel(|panel| panel.login_page()),
            Reply::Status { code, body } => {
                let kind = if body.trim_start().starts_with(['{', '[']) {
                    json
                } else {
                    "text/html"
                };
                Response::new(*code, kind, body.clone())
            }
            Reply::Throttled { retry_after } => {
                let response = Response::new(429, "text/html", "");
                if retry_after.is_empty() {
                    response
                } else {
                    response.with("Retry-After", retry_after)
                }
            }
            Reply::Unauthorized => self.with_panel(|panel| panel.refusal(401)),
            Reply::Forbidden => self.with_panel(|panel| panel.refusal(403)),
            Reply::WrongJson(how) => {
                let body = crate::faults::mangle(&response.body, how);
                Response { body, ..response }
            }
            Reply::Redirect { status, to } => {
                Response::new(*status, "text/html", "").with("Location", to)
            }
            Reply::Empty => Response {
                body: Vec::new(),
                ..response
            },
            Reply::Normal
            | Reply::Late { .. }
            | Reply::Never
            | Reply::CutBody { .. }
            | Reply::CutResponse { .. }
            | Reply::Reset
            | Reply::Endless
            | Reply::EndlessHeaders
            | Reply::Slow { .. }
            | Reply::Raw { .. } => response,
        }
    }
}
