// Which kernel does an operation.

#include <millrace/core/error.h>
#include <millrace/cpu/lower/lowering.h>

#include <algorithm>
#include <functional>
#include <string>

namespace millrace::cpu {

onednn::Kernel Lowering::choose(const nn::Op& op,
                                const std::vector<onednn::Found>& candidates) const {
  onednn::Found reference;
  for (const onednn::Found& kernel : candidates) {
    if (!kernel) continue;
    if (!kernel->is_reference()) return *kernel;
    if (!reference) reference = kernel;
  }
  if (reference) return *reference;
  throw Error(concat("cpu: oneDNN ", onednn::version(), " cannot do '", step_name(op), "'"));
}

Way Lowering::choose(const nn::Op& op, const std::string& description, std::vector<Way> ways) {
  const bool has_code = std::ranges::any_of(ways, [](const Way& w) { return !w.is_reference(); });
  if (has_code) std::erase_if(ways, [](const Way& way) { return way.is_reference(); });
  if (ways.empty()) (void)choose(op, {});  // throws
  const auto fits = [this](const Way& way) {
    return Bytes{way.at(DNNL_ARG_SCRATCHPAD).get_size()} <= options_.most_scratch;
  };
  if (std::ranges::any_of(ways, fits)) std::erase_if(ways, std::not_fn(fits));
  const auto kernel_of = [](const Way& way) {  // conversions depend on what parameters lie like
    return way.name.substr(0, way.name.rfind(" +"));
  };
  if (options_.slice > 0) {
    const std::string& kernel = options_.chosen->at(choices_++);
    const auto same =
        std::ranges::find_if(ways, [&](const Way& way) { return kernel_of(way) == kernel; });
    MILLRACE_CHECK(same != ways.end(), step_name(op), ": a slice has no ", kernel);
    return *same;
  }
  const std::size_t best =
      options_.tuner == nullptr
          ? 0
          : options_.tuner->fastest(engine_, description, ways, options_.may_time);
  options_.chosen->push_back(kernel_of(ways[best]));
  return ways[best];
}

}  // namespace millrace::cpu
