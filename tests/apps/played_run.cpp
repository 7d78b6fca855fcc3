// RecordedRun::play(): the recorded run on a virtual clock.

#include "apps/recorded_run.h"

#include <millrace/core/error.h>

#include <algorithm>
#include <functional>
#include <queue>

namespace millrace::test {
namespace {

using gpu::Recorded;
using Kind = Recorded::Kind;
using Batch = RecordedRun::Batch;
using Call = RecordedRun::Call;

bool is_work(const Recorded& entry) {
  switch (entry.kind) {
    case Kind::launch:
    case Kind::convolution:
    case Kind::matmul:
    case Kind::copy:
    case Kind::fill:
    case Kind::graph: return !entry.captured;
    default: return false;
  }
}

class Player {
 public:
  Player(const RecordedRun& run, const Durations& durations, int readers)
      : run_(run), durations_(durations), readers_(static_cast<std::size_t>(readers), 0.0) {
    for (const Batch& batch : run.batches()) states_.push_back({.batch = &batch});
  }

  double play() {
    for (State& state : states_) {
      state.has_host_slot = state.batch->before_on_host < 0;
      state.has_device_slot = state.batch->before_on_device < 0;
    }
    read();
    while (!queue_.empty()) {
      const Event event = queue_.top();
      queue_.pop();
      now_ = event.time;
      event.happens();
    }
    if (next_step_ != states_.size()) throw Error("the recorded run does not come to its end");
    return end_;
  }

 private:
  struct State {
    const Batch* batch;
    bool has_host_slot = false, has_device_slot = false, is_read = false, is_ready = false;
  };
  struct Event {
    double time;
    std::uint64_t number;  // what was planned first happens first
    std::function<void()> happens;
    bool operator<(const Event& other) const {
      return std::pair(other.time, other.number) < std::pair(time, number);
    }
  };

  void at(double time, std::function<void()> happens) {
    end_ = std::max(end_, time);
    queue_.push({time, number_++, std::move(happens)});
  }

  // ---- host ----

  /// The source goes from slot to slot; readers take the pieces in their order.
  void read() {
    for (; next_read_ < states_.size() && states_[next_read_].has_host_slot; ++next_read_) {
      State& state = states_[next_read_];
      const auto pieces = static_cast<double>(state.batch->reads.size());
      const double piece = durations_.reading * static_cast<double>(readers_.size()) / pieces;
      double last = now_;
      for (std::size_t i = 0; i < state.batch->reads.size(); ++i) {
        double& reader = *std::ranges::min_element(readers_);
        reader = std::max(reader, now_) + piece;
        last = std::max(last, reader);
      }
      at(last, [this, &state] {
        state.is_read = true;
        copy();
      });
    }
  }

  void copy() {
    for (; next_copy_ < states_.size(); ++next_copy_) {
      State& state = states_[next_copy_];
      if (!state.is_read || !state.has_device_slot) return;
      bool is_first = true;
      call(state.batch->copy, [&](const Recorded& entry) {
        const bool is_pixels = entry.kind == Kind::copy && std::exchange(is_first, false);
        return is_pixels ? durations_.copying : 0.0;
      });
      at(learnt(state.batch->copied), [this, &state] { cast(state); });
    }
  }

  void cast(State& state) {
    bool is_first = true;
    call(state.batch->cast, [&](const Recorded& entry) {
      const bool is_cast = entry.kind == Kind::launch && std::exchange(is_first, false);
      return is_cast ? durations_.casting : 0.0;
    });
    at(learnt(state.batch->ready), [this, &state] {
      state.is_ready = true;
      step();
    });
  }

  /// The engine's thread: one batch after the other.
  void step() {
    while (next_step_ < states_.size() && states_[next_step_].is_ready && engine_ <= now_) {
      const Batch& batch = *states_[next_step_].batch;
      const auto parts =
          static_cast<double>(std::ranges::count_if(batch.step.entries, [&](std::size_t entry) {
            return is_step_work(run_.record()[entry]);
          }));
      engine_ = call(batch.step, [&](const Recorded& entry) {
        return is_step_work(entry) ? durations_.computing / parts : 0.0;
      });
      const auto index = static_cast<int>(next_step_++);
      at(engine_, [this, index] { free_device_slot(index); });
      for (const Call& behind : batch.behind_step) {
        engine_ = std::max(engine_, call(behind, [](const Recorded&) { return 0.0; }));
      }
      at(engine_, [this, index] { leave(index); });
    }
  }

  static bool is_step_work(const Recorded& entry) {
    return is_work(entry) && entry.kind != Kind::copy && entry.kind != Kind::fill;
  }

  void free_device_slot(int of) {
    for (State& state : states_) state.has_device_slot |= state.batch->before_on_device == of;
    copy();
  }
  void leave(int batch) {
    for (State& state : states_) state.has_host_slot |= state.batch->before_on_host == batch;
    read();
    step();
  }

  /// A thread waits for the event, behind those that it waited for before.
  double learnt(const RecordedRun::Known& known) {
    double& thread = waiting_threads_[known.thread];
    thread = std::max({thread, now_, events_[known.event]});
    return thread;
  }

  // ---- device ----

  /// Queues what the call queued; when it ends.
  double call(const Call& call, const std::function<double(const Recorded&)>& duration) {
    double host = std::max(now_, 0.0);
    for (const std::size_t place : call.entries) {
      const Recorded& entry = run_.record()[place];
      double& stream = streams_[entry.stream];
      const std::pair event{entry.event, entry.generation};
      if (is_work(entry)) {
        stream = std::max(stream, host) + duration(entry);
        end_ = std::max(end_, stream);
      } else if (entry.kind == Kind::wait) {
        stream = std::max({stream, host, events_[event]});
      } else if (entry.kind == Kind::record) {
        events_[event] = std::max(stream, host);
        if (is_engines(call) && run_.waits(call, entry)) host = std::max(host, events_[event]);
      }
    }
    return host;
  }

  static bool is_engines(const Call& call) { return call.stage != "copy" && call.stage != "cast"; }

  const RecordedRun& run_;
  const Durations durations_;
  std::vector<double> readers_;
  std::vector<State> states_;
  std::size_t next_read_ = 0, next_copy_ = 0, next_step_ = 0;
  std::priority_queue<Event> queue_;
  std::uint64_t number_ = 0;
  double now_ = 0, end_ = 0, engine_ = 0;
  std::map<int, double> streams_;
  std::map<std::pair<int, int>, double> events_;
  std::map<std::uint64_t, double> waiting_threads_;
};

}  // namespace

double RecordedRun::play(const Durations& durations, int readers) const {
  return Player(*this, durations, readers).play();
}

}  // namespace millrace::test
