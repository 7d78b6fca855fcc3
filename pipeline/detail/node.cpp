#include <millrace/pipeline/detail/node.h>

#include <algorithm>

namespace millrace::detail {

namespace flow = oneapi::tbb::flow;

Node::Node(RunContext run, const StageSpec& spec, int index, int concurrency, Lane* lane,
           bool restores_order)
    : run_(run),
      spec_(spec),
      index_(index),
      concurrency_(concurrency),
      workers_(lane == nullptr ? std::min(concurrency, run.threads) : concurrency),
      lane_(lane),
      // A stage with threads of its own only posts from its body, in order, hence serial.
      entry_(run.graph,
             lane == nullptr ? static_cast<std::size_t>(concurrency) : std::size_t{flow::serial},
             [this](const Message& message, Entry::output_ports_type&) { dispatch(message); }) {
  if (!restores_order) return;
  sequencer_ = std::make_unique<Sequencer>(
      run.graph, [](const Message& message) { return static_cast<std::size_t>(message.sequence); });
}

void Node::open() {
  if (sequencer_ != nullptr) flow::make_edge(*sequencer_, entry_);
}

void Node::feed(Node* next, int port) {
  next_.push_back({next, port});
  next->inputs_.push_back(this);
}

void Node::enter(Message message, Clock::time_point now) {
  if (message.kind == Message::Kind::item) counters_.arrive(now);
  if (follows_directly_) return work_safely(std::move(message));
  if (sequencer_ != nullptr)
    sequencer_->try_put(message);
  else
    entry_.try_put(message);
}

void Node::send(Message message, Clock::time_point now) {
  message.attempt = 0;
  for (std::size_t i = 0; i < next_.size(); ++i) {
    message.port = static_cast<std::uint8_t>(next_[i].port);
    if (i + 1 == next_.size())
      next_[i].node->enter(std::move(message), now);
    else
      next_[i].node->enter(message, now);
  }
}

void Node::wake() {
  Message message;
  message.kind = Message::Kind::wake;
  entry_.try_put(message);
}

void Node::input_ends(int, Length length) {
  for (const Edge& edge : next_) edge.node->input_ends(edge.port, length);
}

void Node::output_is_unread(Length length) {
  if (next_.size() == 1) limit(length);
}

void Node::limit(Length length) {
  for (Node* const input : inputs_) input->output_is_unread(length);
}

void Node::is_lost(std::uint64_t sequence) noexcept {
  for (Node* const input : inputs_) input->is_lost(sequence);
}

void Node::dispatch(const Message& message) {
  if (lane_ == nullptr) return work_safely(message);
  run_.graph.reserve_wait();
  // An init-capture: a plain copy of a const reference would be const, and could not be moved from.
  try {
    lane_->post([this, held = message]() mutable {
      // The message, and with it perhaps the last lease, must be gone before the reservation is.
      work_safely(std::move(held));
      run_.graph.release_wait();
    });
  } catch (...) {  // no memory for the job
    is_lost(message.sequence);
    run_.control.fail(spec_.options.name, message.sequence, std::current_exception());
    run_.graph.release_wait();
  }
}

void Node::work_safely(Message message) noexcept {
  const std::uint64_t sequence = message.sequence;
  try {
    work(std::move(message));
  } catch (...) {
    is_lost(sequence);
    run_.control.fail(spec_.options.name, sequence, std::current_exception());
  }
}

void Node::skip(const std::string& what) {
  const OnError& policy = spec_.options.on_error;
  if (!policy.skips) throw Error(what);
  if (skips_.fetch_add(1) >= policy.limit) {
    throw SkipLimitError(
        concat(what, "; that is one more than the ", policy.limit, " that may be skipped"));
  }
  counters_.skipped();
  run_.control.note_skip(spec_.options.name, what);
}

bool Node::tries_again(Message& message, const std::exception_ptr& cause) noexcept {
  if (message.attempt >= spec_.options.on_error.retries || run_.control.is_ending()) return false;
  try {
    std::rethrow_exception(cause);
  } catch (const SkipLimitError&) {
    return false;
  } catch (...) {
    ++message.attempt;
    counters_.retried();
    return true;
  }
}

void Node::failed(std::uint64_t sequence, std::exception_ptr cause) noexcept {
  try {
    std::rethrow_exception(cause);
  } catch (const SkipLimitError&) {
    // Counted already.
  } catch (...) {
    try {
      if (spec_.options.on_error.skips) return skip(message_of(cause));
    } catch (...) {
      cause = std::current_exception();
    }
  }
  is_lost(sequence);
  run_.control.fail(spec_.options.name, sequence, cause);
}

StageReport Node::report() const {
  StageReport report;
  report.name = spec_.options.name;
  report.kind = to_string(spec_.kind);
  report.concurrency = concurrency_;
  report.workers = workers_;
  counters_.fill(report);
  return report;
}

}  // namespace millrace::detail
