//! The task that accepts connections: at the start on what the settings say, and elsewhere when CONFIG SET says so.

use std::io;
use std::sync::mpsc;

use larder_config::Settings;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::bind::{self, Addresses, Endpoint};
use crate::listener::{Dealer, Listener};

/// Accepts, and moves to other addresses.
pub(crate) struct Acceptor {
    dealer: Dealer,
    tcp: Vec<Listener>,
    unix: Vec<Listener>,
    moves: UnboundedReceiver<Move>,
}

/// Where to listen from now on, and who waits to hear of it.
struct Move {
    addresses: Addresses,
    done: mpsc::Sender<io::Result<()>>,
}

/// Asks the acceptor to move, from any thread.
#[derive(Debug)]
pub(crate) struct Mover(UnboundedSender<Move>);

/// Where the acceptor will be asked to move.
pub(crate) struct Moves(UnboundedReceiver<Move>);

/// Both ends of the way on which the acceptor is asked to move.
pub(crate) fn mover() -> (Mover, Moves) {
    let (sender, receiver) = unbounded_channel();
    (Mover(sender), Moves(receiver))
}

impl Mover {
    /// Has the acceptor listen elsewhere, and waits until it does. If it cannot it listens where it did before.
    pub(crate) fn listen(&self, addresses: Addresses) -> io::Result<()> {
        let (done, outcome) = mpsc::channel();
        let ended = || io::Error::other("the server ends");
        self.0.send(Move { addresses, done }).map_err(|_| ended())?;
        outcome.recv().map_err(|_| ended())?
    }
}

impl Acceptor {
    /// Binds everything that the settings ask for.
    pub(crate) fn bind(settings: &Settings, dealer: Dealer, moves: Moves) -> io::Result<Acceptor> {
        let addresses = Addresses::of(settings);
        let tcp = bind::tcp(&addresses.endpoints(), addresses.backlog)?;
        let unix = bind::unix(settings)?;
        if tcp.is_empty() && unix.is_empty() {
            return Err(io::Error::other("Configured to not listen anywhere, exiting."));
        }
        Ok(Acceptor { dealer, tcp, unix, moves: moves.0 })
    }

    /// Who deals what is accepted.
    pub(crate) fn dealer(&self) -> &Dealer {
        &self.dealer
    }

    /// Accepts for as long as the process lives.
    pub(crate) async fn run(mut self) {
        loop {
            let accepting =
                join_all(self.tcp.iter().chain(&self.unix).map(|listener| self.dealer.accept(listener)));
            let wanted = tokio::select! {
                () = accepting => std::future::pending().await,
                wanted = self.moves.recv() => wanted,
            };
            let Some(Move { addresses, done }) = wanted else { return };
            // Whoever does not wait any more need not know.
            let _ = done.send(self.move_to(&addresses));
        }
    }

    /// Listens on these addresses. A socket that is at one of them already stays as it is, and the others until the new ones are
    /// bound: whoever waits at a port that stays does not notice, and where an address cannot be had nothing is lost.
    fn move_to(&mut self, addresses: &Addresses) -> io::Result<()> {
        let (mut kept, mut new) = (Vec::new(), Vec::new());
        for endpoint in addresses.endpoints() {
            let is_there =
                |listener: &Listener| listener.endpoint().is_some_and(|at| at.is_as_good_as(&endpoint));
            match self.tcp.iter().position(is_there) {
                Some(index) => kept.push(self.tcp.swap_remove(index)),
                None => new.push(endpoint),
            }
        }
        let bound = self.bind_beside(&new, addresses.backlog);
        match bound {
            Ok(listeners) => {
                self.tcp = kept;
                self.tcp.extend(listeners);
                Ok(())
            }
            Err(error) => {
                tracing::warn!("{error}");
                self.tcp.extend(kept);
                Err(error)
            }
        }
    }

    /// Binds these beside what is listened on, or after it is closed if that may be in the way: then it is bound again if they
    /// cannot be.
    fn bind_beside(&mut self, new: &[Endpoint], backlog: u32) -> io::Result<Vec<Listener>> {
        let bound = bind::tcp(new, backlog);
        let own: Vec<Endpoint> = self.tcp.iter().filter_map(Listener::endpoint).cloned().collect();
        let may_be_in_the_way = own.iter().any(|own| new.iter().any(|new| new.has_port_of(own)));
        match &bound {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && may_be_in_the_way => {}
            _ => return bound,
        }
        self.tcp.clear();
        bind::tcp(new, backlog).inspect_err(|_| match bind::tcp(&own, backlog) {
            Ok(again) => self.tcp = again,
            Err(error) => tracing::error!("Could not listen again where it did before: {error}"),
        })
    }
}

/// Waits for all of some futures at once; without any, for ever.
async fn join_all<F: Future<Output = ()>>(futures: impl Iterator<Item = F>) {
    let mut futures: Vec<_> = futures.map(Box::pin).collect();
    std::future::poll_fn(|task| {
        futures.retain_mut(|future| future.as_mut().poll(task).is_pending());
        std::task::Poll::<()>::Pending
    })
    .await;
}
