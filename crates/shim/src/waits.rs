//! `Wait`: answered when a process has ended.
//!
//! The thread that takes the question goes on to the next one: what is kept is the question, not the thread.

use std::sync::Arc;

use containerd_shim_protos::api::{WaitRequest, WaitResponse};
use containerd_shim_protos::protobuf::Message;
use containerd_shim_protos::ttrpc::{self, Code, MethodHandler, TtrpcContext, get_status};

use crate::failure::refuse;
use crate::process::End;
use crate::service::Service;

/// Takes the questions.
pub(crate) struct Wait(pub(crate) Arc<Service>);

/// One that is kept.
#[derive(Debug)]
pub(crate) struct Waiter(TtrpcContext);

impl MethodHandler for Wait {
    fn handler(&self, ctx: TtrpcContext, request: ttrpc::Request) -> ttrpc::Result<()> {
        let entry = match WaitRequest::parse_from_bytes(&request.payload) {
            Ok(wanted) => self.0.entry(&wanted.id, &wanted.exec_id).map_err(|e| refuse(&e)),
            Err(e) => Err(ttrpc::Error::RpcStatus(get_status(Code::INVALID_ARGUMENT, e.to_string()))),
        };
        match entry {
            Ok(entry) => entry.wait(Waiter(ctx)),
            Err(e) => ctx.respond(ctx.mh.stream_id, e.into())?,
        }
        Ok(())
    }
}

impl Waiter {
    /// Answers. Who asked may have gone.
    pub(crate) fn answer(&self, end: &End) {
        let answer = WaitResponse {
            exit_status: end.status,
            exited_at: Some(end.at.clone()).into(),
            ..Default::default()
        };
        let mut response = ttrpc::Response::new();
        response.set_status(get_status(Code::OK, ""));
        response.payload = answer.write_to_bytes().unwrap_or_default();
        let _ = self.0.respond(self.0.mh.stream_id, response);
    }
}
