//! `report.md`: tables a person reads.

use std::fmt::Write;

use crate::bars::{self, Measure};
use crate::cpu::LIGHT;
use crate::results::{ConnectionsCell, CpuCell, CpuWorkNote, Limit, MemoryCell, Run, Started};
use crate::stats::Spread;
use crate::work::MEMORY_WORKS;

/// The whole report.
pub(crate) fn report(run: &Run) -> String {
    let mut out = String::from("# Load comparison\n\n");
    head(run, &mut out);
    verdicts(run, &mut out);
    if !run.cpu.is_empty() {
        cpu_section(run, LIGHT, &mut out);
    }
    for client in &run.foreign_clients {
        if run.cpu.iter().any(|cell| cell.client == client.name) {
            cpu_section(run, &client.name, &mut out);
        }
    }
    memory(run, &mut out);
    connections(run, &mut out);
    latency(run, &mut out);
    failures(run, &mut out);
    out
}

/// Appends to a string, which cannot fail.
macro_rules! put {
    ($out:expr, $($text:tt)*) => {
        writeln!($out, $($text)*).expect("a String takes any text")
    };
}

fn head(run: &Run, out: &mut String) {
    let machine = &run.machine;
    put!(out, "| | |\n|---|---|");
    put!(out, "| begun | {} |", machine.started_at);
    put!(out, "| command | `{}` |", run.command_line.join(" "));
    let kind = if machine.virtual_machine { "virtual machine" } else { "no hypervisor" };
    put!(
        out,
        "| machine | {} x {}, last-level cache {}, {} MiB, {kind} |",
        machine.cpus,
        machine.cpu,
        machine.cache,
        machine.memory_mebibytes
    );
    put!(out, "| kernel | {}; {} |", machine.kernel, machine.settings);
    put!(out, "| load average at the start | {} |", machine.load_average);
    put!(out, "| compilers here | {} |", machine.compilers.join("; "));
    for server in &run.servers {
        put!(out, "| {} | {}<br>`{}` |", server.name, server.version, server.command_line);
    }
    for client in &run.foreign_clients {
        put!(out, "| {} | {} |", client.name, client.version);
    }
    put!(out, "");
    // Ticks are coarse and the kernel has work of its own: a few hundredths are a quiet machine.
    if let Some(others) = run.disturbance().filter(|others| others.median > 0.1) {
        put!(
            out,
            "**The machine was not quiet**: other programs kept {} CPUs busy during the CPU cells. Read nothing but \
             large differences from this run.\n",
            spread(Some(others), 2)
        );
    }
}

fn verdicts(run: &Run, out: &mut String) {
    let verdicts = bars::verdicts(run);
    if verdicts.is_empty() {
        return;
    }
    put!(out, "## Bars\n");
    put!(
        out,
        "Larder's figure over the peer's: median of the ratios of each round (range). CPU time is under our own client.\n"
    );
    put!(out, "| work | figure | server | peer | ratio | bar | |\n|---|---|---|---|---|---|---|");
    for verdict in &verdicts {
        put!(
            out,
            "| {} | {} | {} | {} | {} | <= {:.2} | {} |",
            verdict.bar.work,
            if verdict.bar.measure == Measure::Cpu { "CPU/op" } else { "bytes/key" },
            verdict.server,
            verdict.peer,
            spread(Some(verdict.ratio), 2),
            verdict.bar.at_most,
            if verdict.is_met() { "met" } else { "**missed**" }
        );
    }
    put!(out, "");
}

fn cpu_section(run: &Run, client: &str, out: &mut String) {
    let title = if client == LIGHT { "light client (our own)" } else { client };
    put!(out, "## CPU time per command, {title}\n");
    put!(
        out,
        "Medians over the rounds (range). CPU/op is the server's scheduler run time per command, divided into user \
         and kernel by ticks. Shares are CPUs kept busy: by the server, by the client, by anything else on the \
         machine.\n"
    );
    let is_measured =
        |work: &&CpuWorkNote| run.cpu.iter().any(|cell| cell.client == client && cell.work == work.name);
    let works: Vec<&CpuWorkNote> = run.cpu_works.iter().filter(is_measured).collect();
    for work in &works {
        put!(out, "### {}\n", work.name);
        put!(out, "{}; {} keys, {} connections.\n", work.about, work.keys, work.connections);
        put!(
            out,
            "| server | CPU us/op | user | kernel | kops/s | p50 / p99 / p99.9 / max ms | server | client | others | \
             client us/op | limit |\n|---|---|---|---|---|---|---|---|---|---|---|"
        );
        for server in &run.servers {
            cpu_row(run, &work.name, server, client, out);
        }
        put!(out, "");
    }
    ratios(run, &works, client, out);
}

fn cpu_row(run: &Run, work: &str, server: &Started, client: &str, out: &mut String) {
    let of = |figure| run.cpu_spread(work, &server.name, client, figure);
    let median = |figure: fn(&CpuCell) -> f64| of(figure).map_or(f64::NAN, |spread| spread.median);
    let Some(cpu) = of(CpuCell::cpu_us_per_operation) else { return };
    let user = median(CpuCell::user_us_per_operation);
    let (server_share, client_share) = (median(CpuCell::server_share), median(CpuCell::client_share));
    let tail = median(|cell| cell.latency.p999_us.unwrap_or(f64::NAN));
    put!(
        out,
        "| {} | {} | {user:.2} | {:.2} | {} | {:.2} / {:.2} / {} / {:.2} | {server_share:.2} | {client_share:.2} | {:.2} | {:.2} | {} |",
        server.name,
        spread(Some(cpu), 2),
        (cpu.median - user).max(0.0),
        spread(of(CpuCell::kilo_operations_per_second), 0),
        median(|cell| cell.latency.p50_us) / 1e3,
        median(|cell| cell.latency.p99_us) / 1e3,
        if tail.is_nan() { "-".to_owned() } else { format!("{:.2}", tail / 1e3) },
        median(|cell| cell.latency.max_us) / 1e3,
        median(CpuCell::others_share),
        median(CpuCell::client_us_per_operation),
        Limit::of(server_share, client_share).name(),
    );
}

fn ratios(run: &Run, works: &[&CpuWorkNote], client: &str, out: &mut String) {
    put!(
        out,
        "CPU/op of the row's server over the column's, median of the ratios of each round; below 1 the row's server needs less.\n"
    );
    for work in works {
        let rounds = |server: &Started| {
            run.cpu_rounds(&work.name, &server.name, client, CpuCell::cpu_us_per_operation)
        };
        ratio_table(&work.name, &run.servers, rounds, out);
    }
}

/// A square of ratios, one server against each other.
fn ratio_table(
    caption: &str,
    servers: &[Started],
    rounds: impl Fn(&Started) -> Vec<(u32, f64)>,
    out: &mut String,
) {
    let measured: Vec<_> = servers.iter().map(|server| (server, rounds(server))).collect();
    let measured: Vec<_> = measured.into_iter().filter(|(_, rounds)| !rounds.is_empty()).collect();
    let names: Vec<&str> = measured.iter().map(|(server, _)| server.name.as_str()).collect();
    put!(out, "| {caption} | {} |", names.join(" | "));
    put!(out, "|---|{}", "---|".repeat(names.len()));
    for (server, ours) in &measured {
        let cells = measured.iter().map(|(_, theirs)| {
            Spread::of_ratios(ours, theirs).map_or("-".to_owned(), |ratio| format!("{:.2}", ratio.median))
        });
        put!(out, "| {} | {} |", server.name, cells.collect::<Vec<_>>().join(" | "));
    }
    put!(out, "");
}

fn memory(run: &Run, out: &mut String) {
    if run.memory.is_empty() {
        return;
    }
    put!(out, "## Memory per key\n");
    put!(
        out,
        "(RSS with the keys - RSS empty) / keys, in bytes; in brackets what is left of it without the 16-byte name \
         and the value. Every key was read once before the second look, so that tables under growth were done.\n"
    );
    let works: Vec<&str> = MEMORY_WORKS.iter().map(|work| work.name).collect();
    put!(out, "| server | empty MiB | {} |\n|---|---|{}", works.join(" | "), "---|".repeat(works.len()));
    for server in &run.servers {
        let cells: Vec<&MemoryCell> = run.memory.iter().filter(|cell| cell.server == server.name).collect();
        let Some(empty) = Spread::of(cells.iter().map(|cell| cell.empty.rss_bytes as f64)) else { continue };
        let of_work = |work: &&str| {
            let rounds = || cells.iter().filter(|cell| cell.work == **work);
            let bytes = Spread::of(rounds().map(|cell| cell.rss_bytes_per_key()))?.median;
            let payload = rounds().next()?.payload_bytes_per_key();
            Some(format!("{bytes:.1} ({:+.1})", bytes - payload))
        };
        let columns: Vec<String> = works.iter().map(|work| of_work(work).unwrap_or("-".to_owned())).collect();
        put!(out, "| {} | {:.1} | {} |", server.name, empty.median / MEBIBYTE, columns.join(" | "));
    }
    put!(out, "");
    let worst = run.memory.iter().map(|cell| (cell.rss_bytes_per_key() - cell.pss_bytes_per_key()).abs());
    put!(
        out,
        "By PSS instead of RSS no figure above differs by more than {:.1} bytes.\n",
        worst.fold(0.0, f64::max)
    );
    put!(out, "Bytes per key of the row's server over the column's.\n");
    for work in works {
        ratio_table(work, &run.servers, |server| run.memory_rounds(work, &server.name), out);
    }
}

const MEBIBYTE: f64 = 1024.0 * 1024.0;

fn connections(run: &Run, out: &mut String) {
    if run.connections.is_empty() {
        return;
    }
    put!(out, "## Memory per idle connection\n");
    put!(
        out,
        "Growth of RSS per connection that has asked once and is silent since; the kernel's buffers are not in it.\n"
    );
    put!(out, "| server | connections | bytes each |\n|---|---|---|");
    for server in &run.servers {
        let cells: Vec<_> = run.connections.iter().filter(|cell| cell.server == server.name).collect();
        let Some(first) = cells.first() else { continue };
        let bytes = Spread::of(cells.iter().map(|cell| ConnectionsCell::bytes_per_connection(cell)));
        put!(out, "| {} | {} | {} |", server.name, first.connections, spread(bytes, 0));
    }
    put!(out, "");
}

fn latency(run: &Run, out: &mut String) {
    if run.latency.is_empty() {
        return;
    }
    put!(out, "## Latency of a probe during events\n");
    put!(
        out,
        "One GET of a random key every 0.5 ms on a connection of its own; milliseconds, medians over the rounds, for \
         the maximum the largest of all rounds. A reply that came late counts for the probes it kept from being sent.\n"
    );
    for work in run.latency_works() {
        put!(out, "### {work}\n");
        put!(
            out,
            "| server | phase | p50 | p99 | p99.9 | p99.99 | max | probes | besides |\n|---|---|---|---|---|---|---|---|---|"
        );
        for server in &run.servers {
            latency_rows(run, work, &server.name, out);
        }
        put!(out, "");
    }
}

fn latency_rows(run: &Run, work: &str, server: &str, out: &mut String) {
    let cells: Vec<_> =
        run.latency.iter().filter(|cell| cell.work == work && cell.server == server).collect();
    let Some(first) = cells.first() else { return };
    let facts: Vec<String> = first
        .facts
        .iter()
        .map(|fact| {
            let same = cells.iter().flat_map(|cell| &cell.facts).filter(|other| other.name == fact.name);
            format!("{} {}", fact.name, spread(Spread::of(same.map(|other| other.value)), 2))
        })
        .collect();
    for phase in &first.phases {
        let of = |figure: fn(&crate::results::Phase) -> f64| {
            let same = cells.iter().flat_map(|cell| &cell.phases).filter(|other| other.name == phase.name);
            Spread::of(same.map(figure)).expect("the first cell has this phase")
        };
        put!(
            out,
            "| {server} | {} | {:.2} | {:.2} | {:.2} | {:.2} | {:.2} | {:.0} | {} |",
            phase.name,
            of(|phase| phase.p50_us).median / 1e3,
            of(|phase| phase.p99_us).median / 1e3,
            of(|phase| phase.p999_us).median / 1e3,
            of(|phase| phase.p9999_us).median / 1e3,
            of(|phase| phase.max_us).max / 1e3,
            of(|phase| phase.probes as f64).median,
            if phase.name == "event" { facts.join(", ") } else { String::new() },
        );
    }
}

fn failures(run: &Run, out: &mut String) {
    if run.failures.is_empty() {
        return;
    }
    put!(out, "## Not measured\n");
    put!(out, "| work | server | round | why |\n|---|---|---|---|");
    for failure in &run.failures {
        let reason = failure.reason.replace('|', "\\|");
        put!(out, "| {} | {} | {} | {reason} |", failure.work, failure.server, failure.round);
    }
}

/// A median with its range, or without one where there was a single round.
fn spread(spread: Option<Spread>, decimals: usize) -> String {
    match spread {
        None => "-".to_owned(),
        Some(Spread { median, min, max }) if min == max => format!("{median:.decimals$}"),
        Some(Spread { median, min, max }) => {
            format!("{median:.decimals$} ({min:.decimals$}-{max:.decimals$})")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::Kind;
    use crate::results::{Failure, sample};

    #[test]
    fn the_report_shows_figures_ratios_bars_and_failures() {
        let mut run = sample::run(&[("larder", Kind::Larder), ("redis", Kind::Redis)]);
        run.cpu_works.push(CpuWorkNote {
            name: "get-set".to_owned(),
            about: "GET:SET".to_owned(),
            keys: 1000,
            connections: 50,
        });
        for round in 1..=3 {
            run.cpu.push(sample::cpu_cell("get-set", "larder", round, 6.0));
            run.cpu.push(sample::cpu_cell("get-set", "redis", round, 7.0 + f64::from(round)));
        }
        run.failures.push(Failure {
            work: "memory".to_owned(),
            server: "redis".to_owned(),
            round: 1,
            reason: "a | b".to_owned(),
        });
        let report = report(&run);
        for expected in [
            "| get-set | CPU/op | larder | redis | 0.67 (0.60-0.75) | <= 0.90 | met |",
            "| larder | 6.00 | 1.50 | 4.50 | 167 | 0.30 / 0.60 / 0.90 / 2.00 | 1.00 | 0.50 | 0.00 | 3.00 | server |",
            "| redis | 9.00 (8.00-10.00) |",
            "| redis | 1.50 | 1.00 |",
            "| memory | redis | 1 | a \\| b |",
        ] {
            assert!(report.contains(expected), "{expected} is not in\n{report}");
        }
        assert!(!report.contains("not quiet") && !report.contains("## Memory"), "{report}");
    }
}
