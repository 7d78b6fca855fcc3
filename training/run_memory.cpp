#include <millrace/training/run_memory.h>

#include <algorithm>

namespace millrace {
namespace {

/// What training with another batch size or precision would take of a GPU, at most.
Bytes planned_memory(const Training& t, std::int64_t batch, nn::Precision precision) {
  nn::CompileOptions compile = t.compile;
  compile.batch = batch;
  std::erase_if(compile.other_batches, [batch](std::int64_t other) { return other >= batch; });
  Bytes most = nn::total(t.planned_memory(t.stepped(), compile, precision));
  if (t.state->unfrozen != nullptr) {
    most = std::max(most, nn::total(t.planned_memory(thawed(t.model), compile, precision)));
  }
  return most;
}

void charge_data(DeviceMemoryPlan& plan, const Feed& feed, std::int64_t batch) {
  for (const Budget::Charge& part : feed.device_memory(batch)) {
    plan.charge(part.name, part.count, part.each);
  }
}

bool would_fit(const Training& t, std::int64_t batch) {
  if (!t.planned_memory) return false;
  DeviceMemoryPlan plan(*t.engine);
  plan.charge("model", 1, planned_memory(t, batch, t.engine->precision()));
  charge_data(plan, t.last_feed(), batch);
  return plan.fits();
}

}  // namespace

std::vector<nn::MemoryLine> model_memory(const Training& t) {
  std::vector<nn::MemoryLine> lines = t.state->executor->memory();
  if (t.state->unfrozen == nullptr) return lines;
  std::vector<nn::MemoryLine> later = t.state->unfrozen->memory();
  return nn::total(later) > nn::total(lines) ? later : lines;
}

DeviceMemoryPlan device_memory(const Training& t) {
  DeviceMemoryPlan plan(*t.engine);
  charge_model(plan, model_memory(t));
  charge_data(plan, t.last_feed(), t.spec.batch);
  return plan;
}

void check_device_memory(const Training& t) {
  const auto largest_batch = [&t] {
    return largest_that_fits(t.spec.batch,
                             [&t](std::int64_t batch) { return would_fit(t, batch); });
  };
  device_memory(t).check(largest_batch, t.feed->memory_advice());
}

std::string describe_device_memory(const Training& t) {
  const auto memory = t.engine->device_memory();
  if (!memory || !t.planned_memory) return {};
  const auto at_most = [&t](nn::Precision precision) {
    return concat(nn::to_string(precision), " at most ",
                  planned_memory(t, t.spec.batch, precision));
  };
  return concat(device_memory(t).charged(), " of the device's ", memory->total, ", of which ",
                memory->free, " is free; the model in ", at_most(nn::Precision::fp32), ", in ",
                at_most(nn::Precision::fp16));
}

}  // namespace millrace
