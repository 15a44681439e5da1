//! The task that accepts connections: at the start on what the settings say, and elsewhere when CONFIG SET says so.

use std::io;
use std::sync::mpsc;

use larder_config::Settings;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::listener::{self, Addresses, Dealer, Listener};

/// Accepts, and moves to other addresses.
pub(crate) struct Acceptor {
    dealer: Dealer,
    addresses: Addresses,
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
        let tcp = listener::bind_tcp(&addresses)?;
        let unix = listener::bind_unix(settings)?;
        if tcp.is_empty() && unix.is_empty() {
            return Err(io::Error::other("Configured to not listen anywhere, exiting."));
        }
        Ok(Acceptor { dealer, addresses, tcp, unix, moves: moves.0 })
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
            let _ = done.send(self.move_to(addresses));
        }
    }

    /// The sockets in use are closed first: the new addresses may be among theirs.
    fn move_to(&mut self, addresses: Addresses) -> io::Result<()> {
        self.tcp.clear();
        let bound = listener::bind_tcp(&addresses);
        let failed = match bound {
            Ok(listeners) => {
                (self.tcp, self.addresses) = (listeners, addresses);
                return Ok(());
            }
            Err(error) => error,
        };
        tracing::warn!("{failed}");
        match listener::bind_tcp(&self.addresses) {
            Ok(listeners) => self.tcp = listeners,
            Err(error) => tracing::error!("Could not listen again where it did before: {error}"),
        }
        Err(failed)
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
