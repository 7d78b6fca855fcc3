#include <millrace/cpu/programs.h>

#include <millrace/core/error.h>
#include <millrace/cpu/team.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace millrace::cpu {
namespace {

void add(std::vector<nn::OpTiming>& all, const nn::OpTiming& step) {
  const auto same = std::find_if(all.begin(), all.end(), [&](const nn::OpTiming& other) {
    return other.name == step.name && other.implementation == step.implementation;
  });
  if (same == all.end()) {
    all.push_back(step);
    return;
  }
  same->seconds += step.seconds;
  same->calls += step.calls;
}

}  // namespace

template <class Visit>
void Programs::for_all(Visit&& visit) const {
  for (const BySize* programs : {&training_, &evaluation_}) {
    for (const auto& [rows, slices] : *programs) visit(slices);
  }
}

Programs::Programs(const nn::Model& model, const nn::CompileOptions& options,
                   const Lowering::Options& how, const dnnl::engine& device,
                   ParameterLayouts& layouts)
    : model_(model), options_(options), how_(how), device_(device), layouts_(layouts) {
  how_.seed = options.seed;
  how_.timed_batch = rows(options.batch);
  how_.folds_norms = pays_to_time(options);
  std::vector<std::int64_t> sizes{options.batch};
  sizes.insert(sizes.end(), options.other_batches.begin(), options.other_batches.end());
  for (const std::int64_t size : sizes) {
    if (options.training && !training_.contains(rows(size))) {
      training_[rows(size)] = compile(size, nn::Mode::training);
    }
    if (!evaluation_.contains(rows(size))) {
      evaluation_[rows(size)] = compile(size, nn::Mode::evaluation);
    }
  }
  for_all([this](const Slices& slices) {
    for (const auto& program : slices) {
      Bytes& activations = program == slices.front() ? first_activations_ : activations_;
      activations = std::max(activations, program->activations());
      scratch_ = std::max(scratch_, program->scratch());
    }
    shared_ = std::max(shared_, slices.front()->shared());
  });
}

Lowered Programs::lower(std::int64_t samples, nn::Mode mode, std::int64_t slice) {
  const ThreadScope scope(how_.threads);
  const nn::Graph graph =
      nn::build_graph(model_, rows(samples), mode, options_.loss.value_or(nn::default_loss(model_)),
                      options_.label_smoothing);
  how_.slice = slice;
  how_.may_time = pays_to_time(options_) && rows(samples) == how_.timed_batch &&
                  (mode == nn::Mode::training || !options_.training);
  return Lowering(graph, how_, layouts_, device_).run();
}

Programs::Slices Programs::compile(std::int64_t samples, nn::Mode mode) {
  Slices slices;
  std::vector<std::string> chosen;
  how_.chosen = &chosen;
  for (std::int64_t i = 0; i < how_.division.slices; ++i) {
    slices.push_back(std::make_unique<Program>(lower(samples, mode, i), device_));
    MILLRACE_CHECK(slices.back()->shared() == slices.front()->shared(),
                   "slices share memory in the same way");
  }
  how_.chosen = nullptr;
  return slices;
}

void Programs::bind(const Slices& slices) {
  for (std::size_t i = 0; i < slices.size(); ++i) slices[i]->bind(arenas_[i], layouts_);
}

void Programs::bind(std::vector<Arenas> arenas) {
  arenas_ = std::move(arenas);
  for_all([this](const Slices& slices) { bind(slices); });
}

void Programs::unbind() {
  arenas_.clear();
  for_all([](const Slices& slices) {
    for (const auto& program : slices) program->unbind();
  });
}

const Programs::Slices& Programs::training(std::int64_t samples) {
  if (!options_.training) {
    throw Error("cpu: the model was compiled without training; set CompileOptions::training");
  }
  return training_.lower_bound(rows(samples))->second;
}

const Programs::Slices& Programs::evaluation(std::int64_t samples) {
  return evaluation_.lower_bound(rows(samples))->second;
}

std::vector<nn::OpTiming> Programs::timings() const {
  std::vector<nn::OpTiming> result;
  for_all([&](const Slices& slices) {
    for (std::size_t i = 0; i < slices.size(); ++i) {
      for (const Step& step : slices[i]->steps()) {
        const double share = step.seconds / static_cast<double>(slices.size());
        add(result, {step.name, step.implementation, share, i == 0 ? step.calls : 0});
      }
    }
  });
  return result;
}

void Programs::reset_timings() {
  for_all([](const Slices& slices) {
    for (const auto& program : slices) program->reset_timings();
  });
}

}  // namespace millrace::cpu
