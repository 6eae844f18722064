//! What tests can set on a WHM server.

use super::{Account, Package, Token, Whm};

/// How `createacct` words that a name is taken; it differs by version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TakenWording {
    /// `This system already has an account named “x”.`
    #[default]
    System,
    /// `The account 'x' already exists.`
    Account,
    /// `Sorry, a group for that username already exists.`
    Group,
}

#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) version: String,
    pub(super) numbers_as_strings: bool,
    pub(super) quotas_enabled: bool,
    pub(super) long_names: bool,
    pub(super) min_strength: u64,
    pub(super) maximum_users: u64,
    pub(super) taken: TakenWording,
    pub(super) old_wording: bool,
    pub(super) reseller_disk_mb: Option<u64>,
    pub(super) keep_deleted_traffic: bool,
    pub(super) cphulk_after: Option<u32>,
    pub(super) remote_domains: Vec<String>,
    pub(super) busy: u32,
    pub(super) reseller_limit: Option<usize>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            version: "11.138.0.10".to_owned(),
            numbers_as_strings: false,
            quotas_enabled: true,
            long_names: true,
            min_strength: 50,
            maximum_users: 0,
            taken: TakenWording::System,
            old_wording: false,
            reseller_disk_mb: None,
            keep_deleted_traffic: true,
            cphulk_after: None,
            remote_domains: Vec::new(),
            busy: 0,
            reseller_limit: None,
        }
    }
}

impl Whm {
    /// Adds or replaces a package.
    pub fn add_package(&mut self, package: Package) {
        self.packages.insert(package.name.clone(), package);
    }

    /// Adds an API token.
    pub fn add_token(&mut self, token: Token) {
        self.tokens.push(token);
    }

    /// Ends a token: it stays listed, but every call with it is refused with 403.
    pub fn expire_token(&mut self, token: &str) {
        for known in self
            .tokens
            .iter_mut()
            .filter(|known| known.secret_is(token))
        {
            known.expires = Some(0);
        }
    }

    /// The addresses of the pool of dedicated IPs, used ones included.
    pub fn set_dedicated_ips(&mut self, ips: &[&str]) {
        self.dedicated_ips = ips.iter().map(|ip| (*ip).to_owned()).collect();
    }

    /// The dedicated addresses that no account holds.
    #[must_use]
    pub fn free_ips(&self) -> Vec<String> {
        let free = |ip: &&String| self.holder_of(ip).is_none();
        self.dedicated_ips.iter().filter(free).cloned().collect()
    }

    /// Every number of an answer becomes a string, as some versions have it.
    pub fn set_numbers_as_strings(&mut self, on: bool) {
        self.settings.numbers_as_strings = on;
    }

    /// With quotas disabled on the file system, `editquota` says "ok" and does nothing.
    pub fn set_quotas_enabled(&mut self, on: bool) {
        self.settings.quotas_enabled = on;
    }

    /// Whether names may have 16 characters (the default) or only 8.
    pub fn set_long_names(&mut self, on: bool) {
        self.settings.long_names = on;
    }

    /// The least strength of a password, 0 to 100.
    pub fn set_min_password_strength(&mut self, strength: u64) {
        self.settings.min_strength = strength;
    }

    /// The licence's number of accounts, 0 for no limit.
    pub fn set_maximum_users(&mut self, users: u64) {
        self.settings.maximum_users = users;
    }

    /// How a name that is taken is worded.
    pub fn set_taken_wording(&mut self, wording: TakenWording) {
        self.settings.taken = wording;
    }

    /// Whether weak passwords are refused in the words of older versions.
    pub fn set_old_wording(&mut self, on: bool) {
        self.settings.old_wording = on;
    }

    /// How much disk space, in MB, each reseller may give to all his accounts together.
    pub fn set_reseller_disk(&mut self, mb: Option<u64>) {
        self.settings.reseller_disk_mb = mb;
    }

    /// Whether `showbw` still lists removed accounts (with `deleted: 1`); else their traffic is gone with them.
    pub fn set_keep_deleted_traffic(&mut self, on: bool) {
        self.settings.keep_deleted_traffic = on;
    }

    /// After this many refused logins the client's address is black-listed and everything is 403. None is off.
    pub fn set_cphulk(&mut self, after: Option<u32>) {
        self.settings.cphulk_after = after;
        self.failed_logins = 0;
    }

    /// Domains that point to another server, which `createacct` refuses.
    pub fn set_remote_domains(&mut self, domains: &[&str]) {
        self.settings.remote_domains = domains.iter().map(|domain| (*domain).to_owned()).collect();
    }

    /// The next `count` creates fail since the user files are locked.
    pub fn lock_user_files(&mut self, count: u32) {
        self.settings.busy = count;
    }

    /// How many accounts each reseller may have.
    pub fn set_reseller_limit(&mut self, limit: Option<usize>) {
        self.settings.reseller_limit = limit;
    }

    /// The version that is reported.
    pub fn set_version(&mut self, version: &str) {
        version.clone_into(&mut self.settings.version);
    }

    /// Leaves a Unix group behind, as a create that broke off does.
    pub fn leave_group(&mut self, name: &str) {
        self.groups.insert(name.to_ascii_lowercase());
    }

    /// Puts an account onto the server, as if made long ago by somebody else. False when the name is taken.
    pub fn plant_account(
        &mut self,
        user: &str,
        domain: &str,
        owner: &str,
        created_at_ms: i64,
    ) -> bool {
        if self.accounts.contains_key(user) {
            return false;
        }
        let mut account = self.new_account(user, domain, "default", created_at_ms);
        owner.clone_into(&mut account.owner);
        self.accounts.insert(user.to_owned(), account);
        true
    }

    /// Changes an account behind the API, as an administrator's shell would.
    pub fn suspend_by_hand(&mut self, user: &str, reason: &str, locked: bool) -> bool {
        self.change_by_hand(user, |account| {
            account.suspended = true;
            account.locked = locked;
            reason.clone_into(&mut account.suspend_reason);
        })
    }

    /// Gives an account additional domains.
    pub fn add_domains(&mut self, user: &str, domains: &[&str]) -> bool {
        self.change_by_hand(user, |account| {
            account
                .addon_domains
                .extend(domains.iter().map(|domain| (*domain).to_owned()));
        })
    }

    /// Renames an account's main domain behind the API.
    pub fn set_domain(&mut self, user: &str, domain: &str) -> bool {
        self.change_by_hand(user, |account| domain.clone_into(&mut account.domain))
    }

    fn change_by_hand(&mut self, user: &str, change: impl FnOnce(&mut Account)) -> bool {
        self.accounts.get_mut(user).map(change).is_some()
    }
}
