//! PostgreSQL's own benchmark beside a hub: what one statement for each sign-out gives on the same
//! server.

use std::path::Path;

use crate::engine::{Console, output};
use crate::process::BoxError;
use crate::session_id;

/// The sessions that one run ends: every `stride`th from `start` on, as many as are asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    pub(crate) epoch: u64,
    pub(crate) start: usize,
    pub(crate) stride: usize,
}

/// How many sessions of `count` this many clients end if each ends as many as the others.
pub(crate) fn even(count: usize, clients: usize) -> usize {
    count / clients * clients
}

/// Ends `even(count, clients)` sessions, each by one statement of its own: the session deleted and
/// its receipt written, found by its id rather than by a credential. Says how many a second.
pub(crate) fn run(
    console: &Console,
    part: Part,
    count: usize,
    clients: usize,
    folder: &Path,
) -> Result<f64, BoxError> {
    let script = folder.join("sign_out.pgbench");
    std::fs::write(&script, statement(part, count / clients))?;
    let mut pgbench = console.program("pgbench")?;
    pgbench.args([
        "--no-vacuum",
        "--protocol=prepared",
        "--jobs=2",
        "--define=done=0",
    ]);
    pgbench
        .args([
            format!("--client={clients}"),
            format!("--transactions={}", count / clients),
        ])
        .arg("--file")
        .arg(&script);
    let said = output(&mut pgbench)?;
    let figure = |name: &str| {
        said.lines()
            .find_map(|line| line.strip_prefix(name))
            .map(str::trim)
    };
    let all = even(count, clients);
    if figure("number of transactions actually processed:") != Some(format!("{all}/{all}").as_str())
    {
        return Err(format!("pgbench has not carried out {all} transactions: {said}").into());
    }
    let rate = figure("tps =")
        .and_then(|rest| rest.split(' ').next())
        .ok_or("pgbench says no rate")?;
    Ok(rate.parse()?)
}

/// How many more clients the server takes.
pub(crate) fn room(console: &Console) -> Result<usize, BoxError> {
    let free = "SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int - count(*) \
                FROM pg_stat_activity WHERE backend_type = 'client backend'";
    Ok(console.sql(free)?.parse().unwrap_or(0))
}

fn statement(
    Part {
        epoch,
        start,
        stride,
    }: Part,
    each: usize,
) -> String {
    let (scatter, id) = (session_id::SCATTER, session_id::SQL);
    format!(
        "\\set number {start} + {stride} * (:client_id * {each} + :done)\n\
         \\set done :done + 1\n\
         \\set at {epoch} + :number\n\
         \\set tail :number * {scatter}\n\
         WITH ended AS (\n\
         \x20   DELETE FROM logout_sessions WHERE id = {id}\n\
         \x20   RETURNING id, platform, realm, name, person, sealed IS NOT NULL AS upstream\n\
         )\n\
         INSERT INTO logout_receipts (id, at, reason, platform, reach, ids, platforms, realms, names, persons, upstreams)\n\
         SELECT id, :at::bigint, 'user', platform, 'session', ARRAY[id], ARRAY[platform], ARRAY[realm], ARRAY[name], ARRAY[person],\n\
         \x20   ARRAY[upstream] FROM ended;\n"
    )
}
