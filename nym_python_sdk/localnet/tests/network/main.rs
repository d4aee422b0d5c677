//! Tests with real clients, in one program: linking one takes a minute.

mod faults;
mod messages;
mod protocol;
mod support;
mod websocket;
