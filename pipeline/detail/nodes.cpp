#include <millrace/pipeline/detail/nodes.h>

#include <algorithm>

namespace millrace::detail {

namespace flow = oneapi::tbb::flow;

// ---- Node ---------------------------------------------------------------------------------------

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
  flow::make_edge(*sequencer_, entry_);
}

void Node::enter(Message message) {
  if (message.kind == Message::Kind::item) counters_.arrive(Clock::now());
  if (follows_directly_) return work(std::move(message));
  if (sequencer_ != nullptr)
    sequencer_->try_put(message);
  else
    entry_.try_put(message);
}

void Node::wake() {
  Message message;
  message.kind = Message::Kind::wake;
  entry_.try_put(message);
}

void Node::dispatch(const Message& message) {
  if (lane_ == nullptr) return work(message);
  run_.graph.reserve_wait();
  // An init-capture: a plain copy of a const reference would be const, and could not be moved from.
  try {
    lane_->post([this, held = message]() mutable {
      // The message, and with it perhaps the last lease, must be gone before the reservation is.
      work(std::move(held));
      run_.graph.release_wait();
    });
  } catch (...) {  // no memory for the job
    run_.control.fail(spec_.options.name, message.sequence, std::current_exception());
    run_.graph.release_wait();
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
  run_.control.fail(spec_.options.name, sequence, cause);
}

StageReport Node::report() const {
  constexpr const char* kKinds[] = {"source", "then", "with", "gather", "sink"};
  StageReport report;
  report.name = spec_.options.name;
  report.kind = kKinds[static_cast<std::size_t>(spec_.kind)];
  report.concurrency = concurrency_;
  report.workers = workers_;
  counters_.fill(report);
  return report;
}

// ---- SourceNode ---------------------------------------------------------------------------------

SourceNode::SourceNode(RunContext run, const StageSpec& spec, int index, Lane* lane)
    : Node(run, spec, index, 1, lane, false), body_(spec.make_source()) {}

void SourceNode::start(Clock::time_point now) {
  Node::start(now);
  waiting_since_ = now;
  for (int i = spec_.pool->free_slots(); i > 0; --i) wake();
}

void SourceNode::work(Message) {
  if (has_ended_ || run_.control.is_ending()) return;
  slot_ = spec_.pool->try_acquire();
  if (!slot_) return;
  const Clock::time_point begin = Clock::now();
  counters_.blocked(begin - waiting_since_);
  emitted_ = 0;
  const Context::Skip on_skip = [this](const std::string& what) { skip(what); };
  Context context(sequence_, run_.control.token(), on_skip);
  try {
    const Watched watched(run_.watch, spec_.options.name);
    has_ended_ = !body_->call(slot_, *this, context);
  } catch (...) {
    run_.control.fail(spec_.options.name, sequence_, std::current_exception());
  }
  if (emitted_ > 0) {
    if (gather_ != nullptr) {
      Message end;
      end.kind = Message::Kind::end_of_call;
      end.call = call_;
      end.index = emitted_;
      gather_->enter(end);
    }
    ++call_;
  }
  waiting_since_ = Clock::now();
  counters_.worked(waiting_since_ - begin);
  run_.trace.record(index_, sequence_, begin, waiting_since_);
  slot_.reset();
}

void SourceNode::emit(Item item) {
  Message message;
  message.sequence = sequence_++;
  message.token = slot_;
  message.item = std::move(item);
  message.call = call_;
  message.index = emitted_++;
  send(std::move(message));
}

// ---- BodyNode -----------------------------------------------------------------------------------

BodyNode::BodyNode(RunContext run, const StageSpec& spec, int index, int concurrency, Lane* lane,
                   bool restores_order)
    : Node(run, spec, index, concurrency, lane, restores_order) {
  for (int i = 0; i < concurrency; ++i) {
    bodies_.push_back(spec.make_body());
    idle_.push_back(bodies_.back().get());
  }
}

Output BodyNode::call(Message& message) {
  Body* body = nullptr;
  {
    const std::scoped_lock lock(mutex_);
    body = idle_.back();
    idle_.pop_back();
  }
  Output result;
  const Clock::time_point begin = Clock::now();
  const Context::Skip on_skip = [this](const std::string& what) { skip(what); };
  Context context(message.sequence, run_.control.token(), on_skip);
  try {
    const Watched watched(run_.watch, spec_.options.name);
    result = body->call(message.item, context);
  } catch (...) {
    failed(message.sequence, std::current_exception());
  }
  const Clock::time_point end = Clock::now();
  counters_.worked(end - begin);
  run_.trace.record(index_, message.sequence, begin, end);
  const std::scoped_lock lock(mutex_);
  idle_.push_back(body);
  return result;
}

void BodyNode::work(Message message) {
  Output result;
  // What has begun on the engine is finished there, also when the run is ending: a step and what
  // belongs to it are done both or neither.
  const bool goes_on = follows_directly_ || !run_.control.is_ending();
  if (message.item && goes_on) result = call(message);
  message.item = std::move(result.item);
  if (result.ended)
    go_on_after(*result.ended, std::move(message));
  else
    leave(std::move(message));
}

void BodyNode::leave(Message message) {
  counters_.leave(Clock::now());
  send(std::move(message));
}

void BodyNode::go_on_after(const Completion& ended, Message message) {
  const std::uint64_t sequence = message.sequence;
  run_.graph.reserve_wait();
  counters_.begin_elsewhere();
  // Shared with the continuation, so that the item is still here if that cannot be left behind.
  std::shared_ptr<Message> held;
  try {
    held = std::make_shared<Message>(std::move(message));
    ended.then([this, held](const Outcome& outcome) noexcept {
      Message whole = std::move(*held);
      counters_.end_elsewhere(outcome.device_s);
      if (outcome.error) {
        // In this order: a slot that comes back before the run is ending is lent again, while what
        // failed may still be at work in it.
        failed(whole.sequence, outcome.error);
        whole.item.reset();
      }
      leave(std::move(whole));
      // Last: the message, and with it perhaps the last lease, is gone.
      run_.graph.release_wait();
    });
    counters_.note_in_flight();
  } catch (...) {  // no memory, or a completion that somebody else waits for
    Message whole = held != nullptr ? std::move(*held) : std::move(message);
    counters_.end_elsewhere(0);
    failed(sequence, std::current_exception());
    whole.item.reset();
    leave(std::move(whole));
    run_.graph.release_wait();
  }
}

// ---- WithNode -----------------------------------------------------------------------------------

void WithNode::work(Message message) {
  if (message.kind == Message::Kind::item) parked_.push_back(std::move(message));
  while (!parked_.empty()) {
    Message& front = parked_.front();
    if (run_.control.is_ending()) front.item.reset();
    if (front.item) {
      SlotHandle slot = spec_.pool->try_acquire();
      if (!slot) return;  // its return wakes this node
      const Clock::time_point begin = Clock::now();
      try {
        front.item = spec_.join(front.item, std::move(slot));
      } catch (...) {
        failed(front.sequence, std::current_exception());
        front.item.reset();
      }
      counters_.worked(Clock::now() - begin);
    }
    counters_.leave(Clock::now());
    send(std::move(front));
    parked_.pop_front();
  }
}

// ---- GatherNode ---------------------------------------------------------------------------------

void GatherNode::work(Message message) {
  Partial& call = calls_[message.call];
  if (message.kind == Message::Kind::end_of_call)
    call.expected = message.index;
  else
    call.arrived.push_back(std::move(message));
  for (auto first = calls_.find(next_call_); first != calls_.end() && first->second.expected > 0 &&
                                             first->second.arrived.size() == first->second.expected;
       first = calls_.find(next_call_)) {
    deliver(first->first, std::move(first->second));
    calls_.erase(first);
    ++next_call_;
  }
}

void GatherNode::deliver(std::uint32_t number, Partial partial) {
  std::sort(partial.arrived.begin(), partial.arrived.end(),
            [](const Message& a, const Message& b) { return a.index < b.index; });
  const Clock::time_point begin = Clock::now();
  Message whole;
  whole.sequence = sequence_++;
  whole.token = partial.arrived.front().token;
  whole.call = number;
  std::vector<Item> live;
  for (Message& message : partial.arrived) {
    if (message.item) live.push_back(std::move(message.item));
    counters_.leave(begin);
  }
  if (!live.empty()) {
    const auto lost = partial.expected - static_cast<std::uint32_t>(live.size());
    try {
      whole.item = spec_.gather(std::move(live), whole.sequence, lost);
    } catch (...) {
      failed(whole.sequence, std::current_exception());
    }
  }
  counters_.worked(Clock::now() - begin);
  send(std::move(whole));
}

}  // namespace millrace::detail
