#include <millrace/cpu/tuner.h>

#include <millrace/core/buffer.h>
#include <millrace/core/error.h>
#include <millrace/cpu/team.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace millrace::cpu {
namespace {

using onednn::Layout;

constexpr double kTie = 1.05;
constexpr int kRounds = 5;  // the least of so many: others may use the machine
constexpr int kFewestRounds = 2;
constexpr double kEnoughSeconds = 0.03;  // for a way; long operations are timed less often
constexpr double kHopeless = 1.5;        // times the fastest: not measured again
constexpr double kAtOnce = 2;            // likewise, after a single round
/// Timing takes as long as some ten steps, of which each later step saves more than half where
/// Winograd's algorithm wins; times are kept, so a pass little longer than ten need not gain
/// itself.
constexpr std::uint64_t kEnoughSteps = 16;

/// A way with memory to run in.
class Trial {
 public:
  Trial(const dnnl::engine& engine, const Way& way) : stream_(engine), name_(way.name) {
    Layouts layouts;
    for (const int argument : way.arguments) layouts.emplace_back(argument, way.at(argument));
    layouts.emplace_back(DNNL_ARG_SCRATCHPAD, way.at(DNNL_ARG_SCRATCHPAD));
    if (const auto* kernel = std::get_if<onednn::Kernel>(&way.kernel)) {
      add(engine, *kernel, layouts);
    } else {
      loop_ = std::get<OwnKernel>(way.kernel).loop;
      for (const auto& [argument, layout] : layouts) add(engine, layout);
      memory_.resize(pieces_.size());
    }
    for (const auto& [from, to] : way.conversions) {
      const auto kernel = onednn::reorder(engine, from, to);
      if (!kernel) throw Error(concat("cpu: ", way.name, ": oneDNN cannot convert a layout"));
      add(engine, *kernel, {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}});
    }
  }

  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  void bind(std::byte* memory) {
    for (Piece& piece : pieces_) piece.memory.set_data_handle(memory + piece.offset);
    for (std::size_t i = 0; i < memory_.size(); ++i) memory_[i] = memory + pieces_[i].offset;
  }
  double seconds() {
    const double start = compute_time();
    Run run;
    if (loop_) loop_(memory_, run);
    for (const auto& [primitive, arguments] : work_) {
      onednn::execute(primitive, stream_, arguments, name_);
    }
    return compute_time() - start;
  }

 private:
  using Layouts = std::vector<std::pair<int, Layout>>;
  struct Piece {
    dnnl::memory memory;
    std::uint64_t offset;
  };

  void add(const dnnl::engine& engine, const onednn::Kernel& kernel, const Layouts& layouts) {
    std::vector<dnnl_exec_arg_t> arguments;
    for (const auto& [argument, layout] : layouts) {
      if (layout.get_size() == 0) continue;
      add(engine, layout);
      arguments.push_back({argument, pieces_.back().memory.get()});
    }
    work_.emplace_back(kernel.create(), std::move(arguments));
  }
  void add(const dnnl::engine& engine, const Layout& layout) {
    pieces_.push_back({dnnl::memory(layout, engine, DNNL_MEMORY_NONE), bytes_});
    bytes_ += round_up(layout.get_size(), 64);
  }

  dnnl::stream stream_;
  std::string name_;
  std::vector<Piece> pieces_;
  Loop loop_;                       // of an own kernel, which has the first pieces
  std::vector<std::byte*> memory_;  // likewise
  std::vector<std::pair<dnnl::primitive, std::vector<dnnl_exec_arg_t>>> work_;
  std::uint64_t bytes_ = 0;
};

/// Seconds of each way, measured in turns so that a disturbance meets all of them.
std::vector<double> measure(std::vector<Trial>& trials) {
  const FlushDenormals flush;  // as in a step; memory may hold anything
  std::uint64_t bytes = 0;
  for (const Trial& trial : trials) bytes = std::max(bytes, trial.bytes());
  const Buffer memory{Bytes{bytes}};
  for (Trial& trial : trials) {
    trial.bind(memory.data());
    (void)trial.seconds();  // code and memory are touched for the first time
  }
  std::vector<double> least(trials.size(), std::numeric_limits<double>::infinity());
  std::vector<double> spent(trials.size(), 0);
  for (int round = 0; round < kRounds; ++round) {
    const double best = *std::ranges::min_element(least);
    for (std::size_t i = 0; i < trials.size(); ++i) {
      const bool is_decided = spent[i] > kEnoughSeconds || least[i] > kHopeless * best;
      if (round >= kFewestRounds && is_decided) continue;
      if (round > 0 && least[i] > kAtOnce * best) continue;
      const double seconds = trials[i].seconds();
      spent[i] += seconds;
      least[i] = std::min(least[i], seconds);
    }
  }
  return least;
}

}  // namespace

bool pays_to_time(const nn::CompileOptions& options) noexcept {
  return !options.steps || *options.steps >= kEnoughSteps;
}

std::size_t Tuner::fastest(const dnnl::engine& engine, const std::string& operation,
                           const std::vector<Way>& ways, bool may_time) {
  if (ways.size() == 1) return 0;
  const auto is_complete = [&ways](const Ways& times) {
    return std::ranges::all_of(ways, [&](const Way& way) { return times.contains(way.name); });
  };
  const auto time_all = [&](Ways times) {
    if (on_timing_) on_timing_(timed_);
    ++timed_;
    std::vector<Trial> trials;
    for (const Way& way : ways) trials.emplace_back(engine, way);
    const std::vector<double> seconds = measure(trials);
    // A choice, of a run that is gone on with too, may rest on the times that are known.
    for (std::size_t i = 0; i < ways.size(); ++i)
      times.try_emplace(ways[i].name, std::round(1e7 * seconds[i]) / 10);
    return times;
  };
  Ways times = timings_->find(operation, is_complete, may_time ? time_all : Timings::Measure());
  double best = std::numeric_limits<double>::infinity();
  for (const Way& way : ways) {
    double& time =
        times.try_emplace(way.name, std::numeric_limits<double>::infinity()).first->second;
    best = std::min(best, time);
  }
  if (std::isinf(best) && !timings_->are_final()) ++guesses_;
  const auto chosen =
      std::ranges::find_if(ways, [&](const Way& way) { return times[way.name] <= kTie * best; });
  return static_cast<std::size_t>(chosen - ways.begin());
}

onednn::Layout Way::at(int argument) const {
  if (const auto* found = std::get_if<onednn::Kernel>(&kernel)) return found->at(argument);
  const auto& [implementation, layouts, scratch, loop] = std::get<OwnKernel>(kernel);
  if (argument == DNNL_ARG_SCRATCHPAD) return scratch;
  const auto it = std::ranges::find(layouts, argument, &std::pair<int, Layout>::first);
  return it == layouts.end() ? Layout() : it->second;
}

std::string Way::implementation() const {
  if (const auto* found = std::get_if<onednn::Kernel>(&kernel)) return found->implementation();
  return std::get<OwnKernel>(kernel).implementation;
}

bool Way::is_reference() const {
  const auto* found = std::get_if<onednn::Kernel>(&kernel);
  return found != nullptr && found->is_reference();
}

}  // namespace millrace::cpu
