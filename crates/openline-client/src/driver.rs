//! The task that runs a client: asks for tokens, opens lines, and calls the core in time.

use std::pin::Pin;
use std::sync::Arc;

use openline_protocol::Data;
use tokio::task::JoinSet;
use tokio::time::sleep_until;

use crate::auth::{AuthContext, AuthError};
use crate::core::{Call, Task};
use crate::machine::{Input, Why};
use crate::shared::Shared;

/// Handlers of the application that run at the same time.
const HANDLERS_MAX: usize = 16;

/// What the application gave for a generation.
type Given = (u64, Result<Option<String>, AuthError>);
type TokenTask = Pin<Box<dyn Future<Output = Given> + Send>>;

/// Runs until the last handle is gone.
pub(crate) async fn drive(shared: Arc<Shared>) {
    let mut token: Option<TokenTask> = None;
    let mut handlers = JoinSet::new();
    loop {
        let deadline = loop {
            let (task, deadline, is_over) = {
                let mut core = shared.lock();
                core.handle_time(shared.now());
                (core.poll_task(), core.deadline(), core.is_over)
            };
            match task {
                None if is_over => return,
                None => break deadline,
                Some(Task::AskToken { generation, why }) => {
                    token = Some(ask(&shared, generation, why));
                }
                Some(Task::Open { generation, control }) => {
                    shared.run_line(generation, control);
                }
            }
        };
        while handlers.len() < HANDLERS_MAX
            && let Some(call) = shared.lock().poll_call()
        {
            handlers.spawn(handle(shared.clone(), call));
        }
        tokio::select! {
            () = shared.wake.notified() => {}
            () = sleep_until(shared.instant(deadline.unwrap_or_default())), if deadline.is_some() => {}
            given = wait(&mut token), if token.is_some() => {
                token = None;
                accept(&shared, given);
            }
            _ = handlers.join_next(), if !handlers.is_empty() => {}
        }
    }
}

async fn wait(token: &mut Option<TokenTask>) -> Given {
    match token {
        Some(token) => token.await,
        None => std::future::pending().await,
    }
}

fn ask(shared: &Shared, generation: u64, why: Why) -> TokenTask {
    match &shared.auth {
        None => Box::pin(async move { (generation, Ok(None)) }),
        Some(auth) => {
            let token = auth(AuthContext { why });
            Box::pin(async move { (generation, token.await) })
        }
    }
}

fn accept(shared: &Shared, (generation, given): Given) {
    shared.with(|core, now| {
        let input = match given {
            Ok(token) => {
                let given = token.is_some();
                core.give_token(generation, token);
                Input::Token { generation, given }
            }
            Err(error) if error.is_fatal => {
                Input::TokenRefused { generation, reason: error.reason }
            }
            Err(error) => Input::TokenFailed { generation, reason: error.reason },
        };
        core.handle_input(now, input);
    });
}

/// Lets the application handle what the server asks or tells.
async fn handle(shared: Arc<Shared>, Call { id, kind, data }: Call) {
    let handler = {
        let handlers = shared.handlers.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        handlers.get(&*kind).cloned()
    };
    let Some(handler) = handler else { return };
    let answer = handler(data).await;
    if let Some(id) = id {
        shared.with(|core, _| core.answer_server(id, &kind, answer.unwrap_or_else(Data::null)));
    }
}
