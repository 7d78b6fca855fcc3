#pragma once
// The kinds of stages of a running pipeline.

#include <millrace/pipeline/detail/hand_over.h>
#include <millrace/pipeline/detail/node.h>

#include <deque>
#include <map>
#include <mutex>

namespace millrace::detail {

/// Calls the source once per free slot, one call at a time.
class SourceNode final : public Node, private EmitTarget {
 public:
  SourceNode(RunContext run, const StageSpec& spec, int index, Lane* lane);
  void start(Clock::time_point now) override;
  void announce_calls_to(Node* gather) { gathers_.push_back(gather); }
  void is_lost(std::uint64_t sequence) noexcept override;
  [[nodiscard]] StageReport report() const override;
  /// The data has ended, or no more is needed.
  [[nodiscard]] bool has_ended() const noexcept { return has_ended_ || is_at_limit(); }
  [[nodiscard]] std::uint64_t movement() const override {
    return counters_.movement() + slot_of_call_.movement();
  }
  [[nodiscard]] std::optional<CallView> longest_call() const override {
    return slot_of_call_.view();
  }

 private:
  void work(Message message) override;
  void limit(Length length) override;
  void emit(Item item) override;
  void announce();
  [[nodiscard]] bool is_at_limit() const noexcept;

  std::unique_ptr<SourceBody> body_;
  CallSlot slot_of_call_;
  std::vector<Node*> gathers_;
  SlotHandle slot_;  // of the call in progress
  std::uint64_t sequence_ = 0;
  std::uint32_t call_ = 0, emitted_ = 0;
  bool has_ended_ = false;
  std::atomic<std::uint64_t> items_wanted_, calls_wanted_;
  std::atomic<std::uint64_t> first_lost_;
  Clock::time_point waiting_since_;
};

/// A user's body: then() and sink().
class BodyNode final : public Node {
 public:
  BodyNode(RunContext run, const StageSpec& spec, int index, int concurrency, Lane* lane,
           bool restores_order);
  [[nodiscard]] std::uint64_t movement() const override;
  [[nodiscard]] std::optional<CallView> longest_call() const override;

 private:
  void work(Message message) override;
  [[nodiscard]] Output call(Message& message, Clock::time_point& end);
  [[nodiscard]] CallSlot& take_slot();
  void give_back(CallSlot& slot);
  /// The item continues when it has ended. `input` is for another try, if the policy has one.
  void go_on_after(const Completion& ended, Message message, Item input);
  void ended_elsewhere(const Outcome& outcome, Message message, Item input) noexcept;
  void go_on(const Outcome& outcome, Message message, Item input);
  void leave(Message message, Clock::time_point now);

  std::mutex mutex_;  // guards idle_
  std::vector<std::unique_ptr<CallSlot>> slots_;
  std::vector<CallSlot*> idle_;
};

/// The end of a stream whose items go to a loop outside.
class RangeNode final : public Node, private HandsOver {
 public:
  RangeNode(RunContext run, const StageSpec& spec, int index, bool restores_order);
  ~RangeNode() override;
  [[nodiscard]] std::uint64_t movement() const override {
    return counters_.movement() + slot_of_loop_.movement();
  }
  [[nodiscard]] std::optional<CallView> longest_call() const override {
    return slot_of_loop_.view();
  }

 private:
  void work(Message message) override;
  void begin_item(const Message& message) noexcept override;
  void end_item(Message message) noexcept override;
  void drop_item(Message message) noexcept override;
  void leave(Message message, Clock::time_point now) noexcept;
  void wake_loop() noexcept;

  CallSlot slot_of_loop_;
  Clock::time_point begun_;            // of the loop
  std::atomic<std::int64_t> held_{0};  // items that wait or are in the loop
};

/// Parks items until the pool has a slot for them.
class WithNode final : public Node {
 public:
  WithNode(RunContext run, const StageSpec& spec, int index, bool restores_order)
      : Node(run, spec, index, 1, nullptr, restores_order) {}
  [[nodiscard]] std::size_t held_back() const override { return parked_.size(); }
  [[nodiscard]] std::uint64_t first_held_back() const override { return parked_.front().sequence; }

 private:
  void work(Message message) override;
  std::deque<Message> parked_;
};

/// Brings the items of a source call together, and the calls into order.
class GatherNode final : public Node {
 public:
  GatherNode(RunContext run, const StageSpec& spec, int index)
      : Node(run, spec, index, 1, nullptr, false) {}
  void input_ends(int port, Length length) override;
  [[nodiscard]] std::size_t held_back() const override { return calls_.size(); }
  [[nodiscard]] std::uint64_t first_held_back() const override { return calls_.begin()->first; }

 private:
  struct Partial {
    std::vector<Message> arrived;  // tombstones too
    std::uint32_t expected = 0;    // 0: not known yet
  };
  void work(Message message) override;
  void limit(Length length) override;
  void deliver(std::uint32_t number, Partial partial);

  std::map<std::uint32_t, Partial> calls_;
  std::uint32_t next_call_ = 0;
  std::uint64_t sequence_ = 0;
};

/// Brings the items of the same number in several streams together.
class JoinNode final : public Node {
 public:
  JoinNode(RunContext run, const StageSpec& spec, int index)
      : Node(run, spec, index, 1, nullptr, false) {}
  void input_ends(int port, Length length) override;
  [[nodiscard]] std::size_t held_back() const override { return parked_.size(); }
  [[nodiscard]] std::uint64_t first_held_back() const override { return parked_.begin()->first; }

 private:
  struct Parts {
    std::vector<Message> by_port;  // tombstones too
    std::size_t arrived = 0;
  };
  void work(Message message) override;
  void limit(Length length) override;
  void shorten(std::uint64_t length);
  void drop_from(std::uint64_t sequence);
  void deliver(std::uint64_t sequence, Parts parts);

  std::map<std::uint64_t, Parts> parked_;
  std::uint64_t length_ = Length{}.items;  // of what is joined, at most
};

}  // namespace millrace::detail
