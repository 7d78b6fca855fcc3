#include <millrace/pipeline/detail/nodes.h>

#include <utility>

namespace millrace::detail {

RangeNode::RangeNode(RunContext run, const StageSpec& spec, int index, bool restores_order)
    : Node(run, spec, index, 1, nullptr, restores_order), slot_of_loop_(run.control.token(), {}) {
  spec.hand_over->connect(this, run.control.token());
}

RangeNode::~RangeNode() {
  // What the loop did with this node comes before its end: said where it can be seen, since
  // oneTBB's word for it, the reservation, is hidden in its library.
  (void)held_.load(std::memory_order_acquire);
}

void RangeNode::work(Message message) {
  if (message.kind == Message::Kind::wake) return spec_.hand_over->wake_loop();
  if (!message.item) return counters_.leave(Clock::now());
  // Whoever has the item keeps the run, and with it this node, from ending.
  run_.graph.reserve_wait();
  held_.fetch_add(1, std::memory_order_relaxed);
  HandOver::Pushed pushed = HandOver::Pushed::refused;
  try {
    if (!run_.control.is_ending()) pushed = spec_.hand_over->push(message);
  } catch (...) {  // no memory to keep it
    failed(message.sequence, std::current_exception());
  }
  if (pushed == HandOver::Pushed::refused) return drop_item(std::move(message));
  if (pushed == HandOver::Pushed::loop_sleeps) wake_loop();
}

void RangeNode::wake_loop() noexcept {
  // In a task of its own, after those that are ready and may bring more items: so the loop is not
  // woken for each of them.
  try {
    wake();
  } catch (...) {  // no memory for the task
    spec_.hand_over->wake_loop();
  }
}

void RangeNode::begin_item(const Message& message) noexcept {
  begun_ = Clock::now();
  slot_of_loop_.begin(message.sequence, begun_);
}

void RangeNode::end_item(Message message) noexcept {
  slot_of_loop_.end();
  const Clock::time_point now = Clock::now();
  counters_.worked(now - begun_);
  run_.trace.record(index_, message.sequence, begun_, now);
  leave(std::move(message), now);
}

void RangeNode::drop_item(Message message) noexcept {
  is_lost(message.sequence);
  leave(std::move(message), Clock::now());
}

void RangeNode::leave(Message message, Clock::time_point now) noexcept {
  counters_.leave(now);
  message = {};  // the last lease before the reservation
  oneapi::tbb::flow::graph& graph = run_.graph;
  held_.fetch_sub(1, std::memory_order_release);
  graph.release_wait();
}

}  // namespace millrace::detail
