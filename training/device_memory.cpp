#include <millrace/training/device_memory.h>

#include <millrace/core/error.h>

#include <utility>

namespace millrace {

void DeviceMemoryPlan::charge(std::string name, std::uint64_t count, Bytes each) {
  if (!memory_ || count * each.count == 0) return;
  charges_.push_back({std::move(name), count, each});
  charged_ += charges_.back().total();
}

std::string DeviceMemoryPlan::text() const {
  if (!memory_) return {};
  Budget sum(memory_->free);
  for (const Budget::Charge& charge : charges_) sum.charge(charge.name, charge.count, charge.each);
  return concat("memory of the device, of which ", memory_->free, " is free\n", sum.text());
}

void DeviceMemoryPlan::check(const std::function<std::int64_t()>& largest_batch,
                             std::string_view advice) const {
  if (fits()) return;
  const std::int64_t batch = largest_batch();
  std::string lines = text();
  lines.pop_back();  // whoever prints the error ends the line
  throw ErrorWithSum(
      concat("device memory: the plan needs ", charged_, " but ", memory_->free, " of ",
             memory_->total, " is free; ",
             batch > 0 ? concat("use --batch ", batch, ", the largest that is sure to fit, or")
                       : std::string("no batch fits: use"),
             " a smaller model or --precision fp16", advice, ". The sum:\n", lines));
}

void charge_model(DeviceMemoryPlan& plan, const std::vector<nn::MemoryLine>& lines) {
  for (const nn::MemoryLine& line : lines) plan.charge("model: " + line.name, 1, line.bytes);
}

std::int64_t largest_that_fits(std::int64_t most, const std::function<bool(std::int64_t)>& fits) {
  std::int64_t fitting = 0, too_large = most + 1;
  while (too_large - fitting > 1) {
    const std::int64_t middle = fitting + (too_large - fitting) / 2;
    (fits(middle) ? fitting : too_large) = middle;
  }
  return fitting;
}

}  // namespace millrace
