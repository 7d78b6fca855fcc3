#pragma once
// The stages of a running pipeline as nodes of a oneTBB flow graph. Only the sources that include
// this see flow_graph.h.
//
// Every stage is one multifunction_node, behind a sequencer_node where it wants the order of the
// source and its input does not have it. Nodes never throw into oneTBB and never cancel the graph:
// an item that fails travels on as a tombstone, so sequencers see every number and every lease
// comes home. Work on other threads holds a reservation of the graph.

#include <millrace/pipeline/detail/control.h>
#include <millrace/pipeline/detail/counters.h>
#include <millrace/pipeline/detail/lane.h>
#include <millrace/pipeline/detail/spec.h>
#include <millrace/pipeline/detail/trace.h>
#include <millrace/pipeline/stage_watch.h>

#include <oneapi/tbb/flow_graph.h>

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

namespace millrace::detail {

/// What travels along an edge. Copied by oneTBB several times a hop, hence small (64 bytes).
struct Message {
  enum class Kind : std::uint8_t {
    item,         // or a tombstone, if `item` is empty
    wake,         // a slot of the stage's pool is free
    end_of_call,  // to gather: `index` items belong to call `call`
  };
  std::uint64_t sequence = 0;  // dense along a stream
  SlotHandle token;            // keeps the source's slot until the item is gone
  Item item;
  std::uint32_t call = 0;   // the source call that emitted it
  std::uint32_t index = 0;  // its place in that call
  Kind kind = Kind::item;
};
static_assert(sizeof(Message) <= 64);

/// What all nodes of a run share.
struct RunContext {
  oneapi::tbb::flow::graph& graph;
  RunControl& control;
  Trace& trace;
  StageWatch* watch;  // or null
  int threads;        // of oneTBB
};

class Node {
 public:
  Node(RunContext run, const StageSpec& spec, int index, int concurrency, Lane* lane,
       bool restores_order);
  virtual ~Node() = default;
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  /// Puts a message into the node's queue. Any thread.
  void enter(Message message);
  /// A free slot of the node's pool may be taken.
  void wake();
  void feed(Node* next) noexcept { next_ = next; }
  /// From now on the node works on what its input sends right there, on the thread of the input.
  void follow_directly() noexcept { follows_directly_ = true; }
  virtual void start(Clock::time_point now) { counters_.start(now); }

  /// Items that the node holds back. With nothing under way there are none, or the run has stalled.
  [[nodiscard]] virtual std::size_t held_back() const { return 0; }
  [[nodiscard]] const StageSpec& spec() const noexcept { return spec_; }
  [[nodiscard]] StageReport report() const;

 protected:
  /// Works on one message, on the stage's threads.
  virtual void work(Message message) = 0;
  void send(Message message) {
    if (next_ != nullptr) next_->enter(std::move(message));
  }
  /// Records a failure, as the stage's policy says.
  void failed(std::uint64_t sequence, std::exception_ptr cause) noexcept;
  /// Counts a skip; throws Error when the policy does not allow it (any more).
  void skip(const std::string& what);

  RunContext run_;
  const StageSpec& spec_;
  const int index_;
  const int concurrency_;
  const int workers_;  // threads that can be in the body at a time
  StageCounters counters_;
  Node* next_ = nullptr;
  bool follows_directly_ = false;

 private:
  void dispatch(const Message& message);

  using Entry = oneapi::tbb::flow::multifunction_node<Message, std::tuple<Message>>;
  using Sequencer = oneapi::tbb::flow::sequencer_node<Message>;
  Lane* const lane_;
  std::atomic<std::uint64_t> skips_{0};
  std::unique_ptr<Sequencer> sequencer_;
  Entry entry_;
};

/// Calls the source once per free slot, one call at a time.
class SourceNode final : public Node, private EmitTarget {
 public:
  SourceNode(RunContext run, const StageSpec& spec, int index, Lane* lane);
  void start(Clock::time_point now) override;
  void announce_calls_to(Node* gather) noexcept { gather_ = gather; }
  [[nodiscard]] bool has_ended() const noexcept { return has_ended_; }

 private:
  void work(Message message) override;
  void emit(Item item) override;

  std::unique_ptr<SourceBody> body_;
  Node* gather_ = nullptr;
  SlotHandle slot_;  // of the call in progress
  std::uint64_t sequence_ = 0;
  std::uint32_t call_ = 0, emitted_ = 0;
  bool has_ended_ = false;
  Clock::time_point waiting_since_;
};

/// Tells the watcher of a run, if there is one, of a call of a body.
class Watched {
 public:
  Watched(StageWatch* watch, const std::string& stage) noexcept : watch_(watch) {
    if (watch_ != nullptr) watch_->begin(stage);
  }
  ~Watched() {
    if (watch_ != nullptr) watch_->end();
  }
  Watched(const Watched&) = delete;
  Watched& operator=(const Watched&) = delete;

 private:
  StageWatch* watch_;
};

/// A user's body: then() and sink().
class BodyNode final : public Node {
 public:
  BodyNode(RunContext run, const StageSpec& spec, int index, int concurrency, Lane* lane,
           bool restores_order);

 private:
  void work(Message message) override;
  [[nodiscard]] Output call(Message& message);
  /// The item goes on when it has ended.
  void go_on_after(const Completion& ended, Message message);
  void leave(Message message);

  std::mutex mutex_;  // guards idle_
  std::vector<std::unique_ptr<Body>> bodies_;
  std::vector<Body*> idle_;
};

/// Parks items until the pool has a slot for them.
class WithNode final : public Node {
 public:
  WithNode(RunContext run, const StageSpec& spec, int index, bool restores_order)
      : Node(run, spec, index, 1, nullptr, restores_order) {}
  [[nodiscard]] std::size_t held_back() const override { return parked_.size(); }

 private:
  void work(Message message) override;
  std::deque<Message> parked_;
};

/// Brings the items of a source call together, and the calls into order.
class GatherNode final : public Node {
 public:
  GatherNode(RunContext run, const StageSpec& spec, int index)
      : Node(run, spec, index, 1, nullptr, false) {}
  [[nodiscard]] std::size_t held_back() const override { return calls_.size(); }

 private:
  struct Partial {
    std::vector<Message> arrived;  // tombstones too
    std::uint32_t expected = 0;    // 0: not known yet
  };
  void work(Message message) override;
  void deliver(std::uint32_t number, Partial partial);

  std::map<std::uint32_t, Partial> calls_;
  std::uint32_t next_call_ = 0;
  std::uint64_t sequence_ = 0;
};

}  // namespace millrace::detail
