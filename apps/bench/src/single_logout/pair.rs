//! A hub and the instances behind it, started together and questioned together.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use super::hub::Tally;
use super::upstream::Heard;
use crate::dialect::VENDORS;
use crate::process::{BoxError, Server};
use crate::requests::Requests;

/// What a hub is started with.
#[derive(Clone, Debug)]
pub(crate) struct Kind {
    /// How it is called in the table.
    pub(crate) name: String,
    pub(crate) reach: &'static str,
    pub(crate) everywhere: bool,
    /// `single_logout.wait` of a hub with upstreams.
    pub(crate) wait: Option<String>,
    pub(crate) verify: bool,
}

/// What all hubs of a run have in common.
#[derive(Clone, Debug)]
pub(crate) struct Common {
    pub(crate) persons: usize,
    pub(crate) workers: usize,
    pub(crate) in_flight: usize,
    /// Where the stores' files lie.
    pub(crate) data: Option<PathBuf>,
}

/// A hub and the instances behind it. The folder goes last.
pub(crate) struct Pair {
    pub(crate) hub: Server,
    pub(crate) upstreams: Option<Server>,
    /// One for each session that was loaded.
    pub(crate) requests: Requests,
    _folder: TempDir,
}

impl Pair {
    /// Starts the instances and the hub in front of them. `moved` puts another address in place of
    /// one vendor's instance.
    pub(crate) fn start(
        kind: &Kind,
        common: &Common,
        moved: Option<(&str, SocketAddr)>,
    ) -> Result<Self, BoxError> {
        let folder = common
            .data
            .as_ref()
            .map_or_else(TempDir::new, TempDir::new_in)?;
        let upstreams = kind
            .wait
            .as_ref()
            .map(|_| start_upstreams(common))
            .transpose()?;
        let mut addresses = upstreams
            .as_ref()
            .map_or_else(Vec::new, |server| server.addresses.clone());
        if let Some((vendor, address)) = moved {
            let place = VENDORS
                .iter()
                .position(|known| *known == vendor)
                .and_then(|index| addresses.get_mut(index));
            *place.ok_or("no such vendor")? = address;
        }
        let hub = start_hub(kind, common, &addresses, folder.path())?;
        let requests = Requests::read(&folder.path().join("requests"))?;
        Ok(Self {
            hub,
            upstreams,
            requests,
            _folder: folder,
        })
    }

    /// Waits until this many deliveries are confirmed since the figures were last taken.
    pub(crate) fn confirmed(&mut self, count: usize, limit: Duration) -> Result<(), BoxError> {
        let confirmed: usize = self
            .hub
            .ask(&format!("confirmed {count} {}", limit.as_millis()))?
            .parse()?;
        if confirmed == count {
            Ok(())
        } else {
            Err(format!("{confirmed} of {count} deliveries are confirmed after {limit:?}").into())
        }
    }

    /// How long each delivery took that was confirmed since this was last asked, by platform.
    pub(crate) fn seconds(&mut self) -> Result<BTreeMap<String, Vec<f64>>, BoxError> {
        Ok(serde_json::from_str(&self.hub.ask("seconds")?)?)
    }

    pub(crate) fn live(&mut self) -> Result<usize, BoxError> {
        Ok(self.hub.ask("live")?.parse()?)
    }

    /// What the outbox holds, by platform.
    pub(crate) fn tally(&mut self) -> Result<BTreeMap<String, Tally>, BoxError> {
        Ok(serde_json::from_str(&self.hub.ask("tally")?)?)
    }

    /// What the instances have heard, in the order of the vendors.
    pub(crate) fn heard(&mut self) -> Result<Vec<Heard>, BoxError> {
        Ok(serde_json::from_str(
            &self
                .upstreams
                .as_mut()
                .ok_or("no upstreams")?
                .ask("heard")?,
        )?)
    }

    /// Fails unless `ended` sessions of this vendor were told of, each confirmed by its instance,
    /// and by its probe where one is asked.
    pub(crate) fn check_told(
        &mut self,
        vendor: &str,
        ended: usize,
        verify: bool,
    ) -> Result<(), BoxError> {
        let tally = self.tally()?.remove(vendor).unwrap_or_default();
        let index = VENDORS
            .iter()
            .position(|known| *known == vendor)
            .ok_or("no such vendor")?;
        let heard = self.heard()?;
        let heard = heard.get(index).ok_or("no such instance")?;
        let probed = if verify { ended } else { 0 };
        let in_outbox = (
            tally.confirmed,
            tally.pending,
            tally.given_up,
            tally.dead,
            tally.unverified,
        );
        let at_instance = (heard.ended, heard.strange);
        // At least once: an answer that was lost on its way may have been asked for again.
        let often_enough = heard.probed >= probed && tally.attempts >= ended as u64;
        if in_outbox == (ended, 0, 0, probed, ended - probed)
            && at_instance == (ended, 0)
            && often_enough
        {
            Ok(())
        } else {
            Err(format!("{vendor}: {ended} sessions ended, but the outbox holds {tally:?} and the instance has {heard:?}").into())
        }
    }
}

fn start_upstreams(common: &Common) -> Result<Server, BoxError> {
    let arguments = [
        "upstreams",
        "--persons",
        &common.persons.to_string(),
        "--workers",
        &common.workers.to_string(),
    ];
    Server::start(arguments.map(str::to_owned).into_iter())
}

fn start_hub(
    kind: &Kind,
    common: &Common,
    upstreams: &[SocketAddr],
    folder: &Path,
) -> Result<Server, BoxError> {
    let named = [
        ("--persons", common.persons.to_string()),
        ("--workers", common.workers.to_string()),
        ("--in-flight", common.in_flight.to_string()),
        ("--reach", kind.reach.to_owned()),
        (
            "--wait",
            kind.wait.clone().unwrap_or_else(|| "0ms".to_owned()),
        ),
        ("--folder", folder.display().to_string()),
    ];
    let mut arguments = vec!["single-logout-hub".to_owned()];
    arguments.extend(
        named
            .into_iter()
            .flat_map(|(name, value)| [name.to_owned(), value]),
    );
    arguments.extend(
        [("--everywhere", kind.everywhere), ("--verify", kind.verify)]
            .iter()
            .filter(|flag| flag.1)
            .map(|flag| flag.0.to_owned()),
    );
    if !upstreams.is_empty() {
        let addresses: Vec<String> = upstreams.iter().map(SocketAddr::to_string).collect();
        arguments.extend(["--upstreams".to_owned(), addresses.join(",")]);
    }
    Server::start(arguments.into_iter())
}
