//! CLIENT INFO, LIST and KILL: who is connected, and sending some of them away.

use std::sync::Arc;

use larder_engine::SharedClient;

use super::filter::Filter;
use super::{FLAGS, line};
use crate::prelude::*;

pub(super) const INFO: Command = Command {
    name: "info",
    summary: "Describes the client itself.",
    group: Group::Connection,
    since: "6.2.0",
    complexity: "O(1)",
    arity: Arity::Exactly(2),
    flags: FLAGS,
    tips: &["nondeterministic_output"],
    run: info,
    ..Command::PLAIN
};

pub(super) const LIST: Command = Command {
    name: "list",
    syntax: "[TYPE <NORMAL | MASTER | REPLICA | PUBSUB>] [ID client-id [client-id ...]] [USER username] [ADDR ip:port] \
             [LADDR ip:port] [SKIPME <YES | NO>] [MAXAGE maxage] [NAME name] [IDLE idle] [FLAGS flags] \
             [LIB-NAME lib-name] [LIB-VER lib-ver] [DB db] [CAPA capa] [IP ip]",
    summary: "Describes clients, a line each; all conditions given must hold, and NOT- turns one round.",
    group: Group::Connection,
    since: "2.4.0",
    complexity: "O(N) where N is the number of clients",
    arity: Arity::AtLeast(2),
    flags: FLAGS.and(Flags::ADMIN),
    tips: &["nondeterministic_output"],
    history: &[
        ("2.8.12", "Added the field `id`."),
        ("5.0.0", "Added the condition TYPE."),
        ("6.0.0", "Added the field `user`."),
        ("6.2.0", "Added the fields `argv-mem`, `tot-mem`, `laddr` and `redir` and the condition ID."),
        ("7.0.0", "Added the fields `resp`, `multi-mem`, `rbs` and `rbp`."),
        ("7.0.3", "Added the field `ssub`."),
        ("8.1.0", "Added the conditions USER, ADDR, LADDR, SKIPME and MAXAGE."),
        ("9.0.0", "Added the other conditions, and NOT-."),
    ],
    run: list,
    ..Command::PLAIN
};

pub(super) const KILL: Command = Command {
    name: "kill",
    syntax: "<ip:port | <ID client-id [client-id ...] | TYPE <NORMAL | MASTER | PRIMARY | SLAVE | REPLICA | PUBSUB> | \
             USER username | ADDR ip:port | LADDR ip:port | SKIPME <YES | NO> | MAXAGE maxage | NAME name | IDLE idle | \
             FLAGS flags | LIB-NAME lib-name | LIB-VER lib-ver | DB db | CAPA capa | IP ip> [...]>",
    summary: "Ends connections: that of an address, or those for which all conditions given hold (NOT- turns one round).",
    group: Group::Connection,
    since: "2.4.0",
    complexity: "O(N) where N is the number of clients",
    arity: Arity::AtLeast(3),
    flags: FLAGS.and(Flags::ADMIN),
    history: &[
        ("2.8.12", "Added the form with conditions, and ID."),
        ("3.2.0", "TYPE knows MASTER."),
        ("5.0.0", "TYPE knows REPLICA; SLAVE still means the same."),
        ("6.2.0", "Added the condition LADDR."),
        ("8.0.0", "Added the condition MAXAGE; TYPE knows PRIMARY."),
        ("8.1.0", "ID takes several numbers."),
        ("9.0.0", "Added the other conditions, and NOT-."),
    ],
    run: kill,
    ..Command::PLAIN
};

/// Clients described before others have their turn: about a tenth of a millisecond.
const CLIENTS_PER_TURN: usize = 128;

fn info(cx: &mut Context<'_>) -> CommandResult {
    let mut text = String::new();
    line::append(&mut text, cx, &cx.client.shared);
    text.push('\n');
    cx.reply.verbatim(*b"txt", text.as_bytes());
    Ok(Outcome::Reply)
}

fn list(cx: &mut Context<'_>) -> CommandResult {
    let databases = cx.node.keyspace.databases();
    let filter = Filter::parse(cx.args.from(2), databases, "ERR Invalid client ID", false)?;
    Listing { clients: meant(cx, &filter).into_iter(), text: String::new() }.go_on(cx)
}

/// A list half written.
#[derive(Default)]
struct Listing {
    clients: std::vec::IntoIter<Arc<SharedClient>>,
    text: String,
}

impl Listing {
    fn go_on(mut self, cx: &mut Context<'_>) -> CommandResult {
        for client in self.clients.by_ref().take(CLIENTS_PER_TURN) {
            line::append(&mut self.text, cx, &client);
            self.text.push('\n');
        }
        if self.clients.len() > 0 {
            return Ok(Outcome::soon(move |cx| std::mem::take(&mut self).go_on(cx)));
        }
        cx.reply.verbatim(*b"txt", self.text.as_bytes());
        Ok(Outcome::Reply)
    }
}

fn kill(cx: &mut Context<'_>) -> CommandResult {
    if cx.args.len() == 3 {
        let address = cx.args.at(2);
        let clients = clients(cx, |client| client.address.as_bytes() == address);
        if clients.is_empty() {
            return Err(CommandError::line("ERR No such client"));
        }
        end(cx, &clients);
        cx.reply.ok();
        return Ok(Outcome::Reply);
    }
    let databases = cx.node.keyspace.databases();
    let filter = Filter::parse(cx.args.from(2), databases, "ERR client-id should be greater than 0", true)?;
    let clients = meant(cx, &filter);
    end(cx, &clients);
    cx.reply.integer(clients.len() as i64);
    Ok(Outcome::Reply)
}

/// Ends connections; the client's own only after its reply.
fn end(cx: &mut Context<'_>, clients: &[Arc<SharedClient>]) {
    for client in clients {
        if client.id == cx.client.id() {
            cx.client.closing = true;
        } else {
            client.disconnect();
        }
    }
}

fn meant(cx: &Context<'_>, filter: &Filter<'_>) -> Vec<Arc<SharedClient>> {
    clients(cx, |client| filter.admits(cx, client))
}

/// Clients in the order in which they came, without those that were sent away already: for clients, CLIENT KILL works at once.
fn clients(cx: &Context<'_>, admits: impl Fn(&SharedClient) -> bool) -> Vec<Arc<SharedClient>> {
    let present = cx.node.clients.iter().filter(|client| !client.is_ended() && admits(client.value()));
    let mut clients: Vec<_> = present.map(|client| Arc::clone(client.value())).collect();
    clients.sort_unstable_by_key(|client| client.id);
    clients
}
