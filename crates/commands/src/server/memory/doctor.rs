//! MEMORY DOCTOR: what is unusual about the memory that is used, in words.

use super::Figures;
use crate::prelude::*;

/// With less than this the allocator's own needs count for too much to say anything.
const JUDGED_BYTES_MIN: u64 = 5 << 20;
/// From this ratio on, something is said.
const UNUSUAL: f64 = 1.4;
/// Bytes of buffers per client from which on something is said.
const CLIENT_BYTES: u64 = 200 << 10;

/// What is or can be done about memory in pieces.
fn remedy(cx: &Context<'_>) -> &'static str {
    if cx.node.defrag_report().running > 0 {
        "Keys are being moved together at present (active_defrag_running in INFO)."
    } else if cx.settings.activedefrag {
        "It is less than what active-defrag-ignore-bytes and active-defrag-threshold-lower let be, or lies in what cannot be moved."
    } else {
        "CONFIG SET activedefrag yes moves keys together and gives memory back."
    }
}

/// What the doctor says.
pub(super) fn report(cx: &Context<'_>) -> String {
    let figures = Figures::of(cx);
    if figures.used < JUDGED_BYTES_MIN {
        return "There is too little data to tell anything: come back when there is more of it.\n".to_owned();
    }
    let clients = cx.node.clients.len() as u64;
    let withheld = cx.node.defrag_report().withheld;
    let findings = [
        (figures.peak as f64 / figures.used as f64 > UNUSUAL)
            .then(|| format!("At its peak the node used {} bytes, now {}: what was given back to the allocator is mostly kept for \
                              later. MEMORY PURGE gives it to the system.", figures.peak, figures.used)),
        (figures.resident as f64 / figures.used as f64 > UNUSUAL)
            .then(|| format!("The process takes {} bytes for the {} that are allocated: memory is fragmented, or was freed a \
                              short time ago. {}", figures.resident, figures.used, remedy(cx))),
        (withheld > 0)
            .then(|| format!("The process takes more than maxmemory promises and moving keys together does not help enough: {withheld} \
                              bytes of maxmemory are withheld, and keys are evicted so much earlier.")),
        (clients > 0 && figures.clients / clients > CLIENT_BYTES)
            .then(|| format!("The buffers of clients take {} bytes: some send or leave unread a great deal. CLIENT LIST shows who \
                              (qbuf, omem).", figures.clients)),
    ];
    let findings: Vec<String> = findings.into_iter().flatten().collect();
    if findings.is_empty() {
        return "Nothing is unusual about the memory that is used.\n".to_owned();
    }
    findings.iter().map(|finding| format!("- {finding}\n")).collect()
}
