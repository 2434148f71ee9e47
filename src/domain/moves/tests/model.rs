//! The process as a small machine of its own, written from the process page and not from `process::MOVES`, and random lives
//! of tickets in which the gate must agree with it at every step.

mod life;
mod page;
