//! Errors that are put into the threads on purpose, to see that the checks find them.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LineBug {
    /// One in a thousand messages does not reach its line, which says that it took it.
    DropOne,
    DeliverTwice,
    SwapTwo,
    /// A line that fell behind goes live again without what it missed.
    SkipCatchUp,
    /// A line goes live without joining what it read to what came meanwhile.
    SkipMerge,
}
