//! Events: what happens to containers, told to containerd over ttrpc.
//!
//! Called by requests and by `exits`. Events wait in a queue that one thread sends from, in order: nobody waits for
//! containerd, which may be restarting. What it did not take after some tries is dropped, as it asks for the state
//! of everything when it comes back.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use cofferdam::{Error, Result};
use containerd_shim_protos::api::ForwardRequest;
use containerd_shim_protos::protobuf::well_known_types::any::Any;
use containerd_shim_protos::protobuf::{Message, MessageField};
use containerd_shim_protos::shim::event::Envelope;
use containerd_shim_protos::ttrpc::context::with_duration;
use containerd_shim_protos::{Client, EventsClient};

use crate::{clock, journal};

/// How often an event is offered, and how long each offer may take.
const TRIES: u32 = 5;
const LONGEST: Duration = Duration::from_secs(5);

/// Where events are put.
#[derive(Clone, Debug)]
pub(crate) struct Events {
    queue: Sender<Item>,
    namespace: String,
}

#[derive(Debug)]
enum Item {
    Event(Box<Envelope>),
    /// Answered when everything before has been sent.
    Mark(Sender<()>),
}

impl Events {
    /// Starts to publish to the socket.
    pub(crate) fn start(socket: String, namespace: &str) -> Result<Self> {
        let (queue, waiting) = channel();
        thread::Builder::new()
            .name("events".into())
            .spawn(move || publish(&waiting, &socket))
            .map_err(|e| Error::io("starting a thread for", "events", &e))?;
        Ok(Self { queue, namespace: namespace.to_owned() })
    }

    /// Waits until all that was told has been sent, but not for ever.
    pub(crate) fn flush(&self) {
        let (mark, sent) = channel();
        let _ = self.queue.send(Item::Mark(mark));
        let _ = sent.recv_timeout(LONGEST);
    }

    /// Tells of one.
    pub(crate) fn send<M: Message>(&self, topic: &str, event: &M) {
        let envelope = Envelope {
            timestamp: MessageField::some(clock::now()),
            namespace: self.namespace.clone(),
            topic: topic.to_owned(),
            event: MessageField::some(pack("containerd.events", event)),
            ..Default::default()
        };
        // The publisher ends after everybody who could send.
        let _ = self.queue.send(Item::Event(Box::new(envelope)));
    }
}

/// A message as containerd packs them: with its bare name. The package is given, as asking the message for it would
/// build descriptors of everything that stands in its file.
pub(crate) fn pack<M: Message>(package: &str, message: &M) -> Any {
    Any {
        type_url: format!("{package}.{}", M::NAME),
        value: message.write_to_bytes().unwrap_or_default(),
        ..Default::default()
    }
}

fn publish(waiting: &Receiver<Item>, socket: &str) {
    let mut client = None;
    for item in waiting {
        let envelope = match item {
            Item::Event(envelope) => envelope,
            Item::Mark(done) => {
                // Whoever asked may not wait any more.
                let _ = done.send(());
                continue;
            }
        };
        // An engine that takes no events says nowhere to send them.
        if socket.is_empty() {
            continue;
        }
        let request = ForwardRequest { envelope: MessageField::from(Some(*envelope)), ..Default::default() };
        for again in (0..TRIES).rev() {
            match forward(&mut client, socket, &request) {
                Ok(()) => break,
                Err(e) => {
                    client = None;
                    if again == 0 {
                        journal::complain("publishing an event", &e);
                    } else {
                        thread::sleep(Duration::from_millis(200) * (TRIES - again));
                    }
                }
            }
        }
    }
}

fn forward(
    client: &mut Option<EventsClient>,
    socket: &str,
    request: &ForwardRequest,
) -> std::result::Result<(), String> {
    let client = match client {
        Some(client) => client,
        none => {
            let connected = Client::connect(&format!("unix://{socket}")).map_err(|e| e.to_string())?;
            none.insert(EventsClient::new(connected))
        }
    };
    client.forward(with_duration(LONGEST), request).map(drop).map_err(|e| e.to_string())
}
