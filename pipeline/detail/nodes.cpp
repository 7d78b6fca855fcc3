#include <millrace/pipeline/detail/nodes.h>

#include <algorithm>
#include <utility>

namespace millrace::detail {

// ---- SourceNode ---------------------------------------------------------------------------------

SourceNode::SourceNode(RunContext run, const StageSpec& spec, int index, Lane* lane)
    : Node(run, spec, index, 1, lane, false),
      body_(spec.make_source()),
      slot_of_call_(run.control.token(), [this](const std::string& what) { skip(what); }),
      items_wanted_(Length{}.items),
      calls_wanted_(Length{}.calls),
      first_lost_(Length{}.items) {}

void SourceNode::start(Clock::time_point now) {
  Node::start(now);
  waiting_since_ = now;
  for (int i = spec_.pool->free_slots(); i > 0; --i) wake();
}

bool SourceNode::is_at_limit() const noexcept {
  return sequence_ >= items_wanted_.load() || call_ >= calls_wanted_.load();
}

void SourceNode::limit(Length length) {
  items_wanted_ = length.items;
  calls_wanted_ = length.calls;
}

void SourceNode::is_lost(std::uint64_t sequence) noexcept {
  std::uint64_t first = first_lost_.load();
  while (sequence < first && !first_lost_.compare_exchange_weak(first, sequence)) {
  }
}

StageReport SourceNode::report() const {
  StageReport report = Node::report();
  report.emitted = sequence_;
  // A call of such a source emits one item, so that numbers of items and of groups are the same.
  if (spec_.begin) report.next = {spec_.begin->items + std::min(sequence_, first_lost_.load())};
  return report;
}

void SourceNode::work(Message) {
  if (has_ended() || run_.control.is_ending()) return;
  slot_ = spec_.pool->try_acquire();
  if (!slot_) return;
  const Clock::time_point begin = Clock::now();
  counters_.blocked(begin - waiting_since_);
  emitted_ = 0;
  slot_of_call_.begin(sequence_, begin);
  try {
    const Watched watched(run_.watch, spec_.options.name);
    has_ended_ = !body_->call(slot_, *this, slot_of_call_.context);
  } catch (...) {
    run_.control.fail(spec_.options.name, sequence_, std::current_exception());
  }
  slot_of_call_.end();
  announce();
  waiting_since_ = Clock::now();
  counters_.worked(waiting_since_ - begin);
  run_.trace.record(index_, sequence_, begin, waiting_since_);
  slot_.reset();
}

void SourceNode::announce() {
  if (emitted_ > 0) {
    Message end;
    end.kind = Message::Kind::end_of_call;
    end.call = call_;
    end.index = emitted_;
    for (Node* const gather : gathers_) gather->enter(end, {});
    ++call_;
  }
  if (has_ended_) input_ends(0, {sequence_, call_});
}

void SourceNode::emit(Item item) {
  Message message;
  message.sequence = sequence_++;
  message.token = slot_;
  message.item = std::move(item);
  message.call = call_;
  message.index = emitted_++;
  try {
    send(std::move(message), Clock::now());
  } catch (...) {
    is_lost(sequence_ - 1);
    throw;
  }
}

// ---- BodyNode -----------------------------------------------------------------------------------

BodyNode::BodyNode(RunContext run, const StageSpec& spec, int index, int concurrency, Lane* lane,
                   bool restores_order)
    : Node(run, spec, index, concurrency, lane, restores_order) {
  for (int i = 0; i < concurrency; ++i) {
    slots_.push_back(std::make_unique<CallSlot>(
        run.control.token(), [this](const std::string& what) { skip(what); }, spec.make_body()));
    idle_.push_back(slots_.back().get());
  }
}

std::uint64_t BodyNode::movement() const {
  std::uint64_t sum = counters_.movement();
  for (const auto& slot : slots_) sum = 31 * sum + slot->movement();
  return sum;
}

std::optional<CallView> BodyNode::longest_call() const {
  std::optional<CallView> longest;
  for (const auto& slot : slots_) {
    std::optional<CallView> view = slot->view();
    if (view && (!longest || view->since < longest->since)) longest = std::move(view);
  }
  return longest;
}

CallSlot& BodyNode::take_slot() {
  if (concurrency_ == 1) return *slots_.front();
  const std::scoped_lock lock(mutex_);
  CallSlot* const slot = idle_.back();
  idle_.pop_back();
  return *slot;
}

void BodyNode::give_back(CallSlot& slot) {
  if (concurrency_ == 1) return;
  const std::scoped_lock lock(mutex_);
  idle_.push_back(&slot);
}

Output BodyNode::call(Message& message, Clock::time_point& end) {
  CallSlot& slot = take_slot();
  Output result;
  const Clock::time_point begin = Clock::now();
  slot.begin(message.sequence, begin);
  for (bool is_done = false; !is_done;) {
    try {
      const Watched watched(run_.watch, spec_.options.name);
      result = slot.body->call(message.item, slot.context);
      is_done = true;
    } catch (...) {
      const std::exception_ptr cause = std::current_exception();
      is_done = !tries_again(message, cause);
      if (is_done) failed(message.sequence, cause);
    }
  }
  slot.end();
  end = Clock::now();
  counters_.worked(end - begin);
  run_.trace.record(index_, message.sequence, begin, end);
  give_back(slot);
  return result;
}

void BodyNode::work(Message message) {
  Output result;
  // What has begun on the engine is finished there, also when the run is ending: a step and what
  // belongs to it are done both or neither.
  const bool goes_on = follows_directly_ || !run_.control.is_ending();
  Clock::time_point end;
  if (message.item && goes_on) {
    result = call(message, end);
  } else {
    end = Clock::now();
    if (message.item) is_lost(message.sequence);
  }
  Item input = std::exchange(message.item, std::move(result.item));
  if (result.ended) return go_on_after(*result.ended, std::move(message), std::move(input));
  input.reset();
  leave(std::move(message), end);
}

void BodyNode::leave(Message message, Clock::time_point now) {
  counters_.leave(now);
  send(std::move(message), now);
}

void BodyNode::go_on_after(const Completion& ended, Message message, Item input) {
  if (spec_.options.on_error.retries == 0) input.reset();
  run_.graph.reserve_wait();
  counters_.begin_elsewhere();
  // Shared with the continuation, so that the item is still here if that cannot be left behind.
  struct Held {
    Message message;
    Item input;
  };
  std::shared_ptr<Held> held;
  try {
    held = std::make_shared<Held>(Held{message, std::move(input)});
    message = {};
    ended.then([this, held](const Outcome& outcome) noexcept {
      ended_elsewhere(outcome, std::move(held->message), std::move(held->input));
    });
    counters_.note_in_flight();
  } catch (...) {  // no memory, or a completion that somebody else waits for
    ended_elsewhere({.error = std::current_exception()},
                    held != nullptr ? std::move(held->message) : std::move(message), {});
  }
}

void BodyNode::ended_elsewhere(const Outcome& outcome, Message message, Item input) noexcept {
  counters_.end_elsewhere(outcome.device_s);
  const std::uint64_t sequence = message.sequence;
  try {
    go_on(outcome, std::move(message), std::move(input));
  } catch (...) {  // no memory to hand it on: what waits for it would wait for ever
    is_lost(sequence);
    run_.control.fail(spec_.options.name, sequence, std::current_exception());
  }
  // Last: the message, and with it perhaps the last lease, is gone.
  run_.graph.release_wait();
}

void BodyNode::go_on(const Outcome& outcome, Message message, Item input) {
  if (outcome.error && input && tries_again(message, outcome.error)) {
    message.item = std::move(input);
    enter_again(message);
  } else {
    if (outcome.error) {
      // In this order: a slot that comes back before the run is ending is lent again, while what
      // failed may still be at work in it.
      failed(message.sequence, outcome.error);
      message.item.reset();
    }
    input.reset();
    leave(std::move(message), Clock::now());
  }
}

}  // namespace millrace::detail
