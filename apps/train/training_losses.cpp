#include "apps/train/training_losses.h"

#include "apps/common/left_out_report.h"

#include <millrace/core/plural.h>
#include <millrace/core/shown_text.h>

#include <nlohmann/json.hpp>

#include <cstdint>
#include <iostream>

namespace millrace::apps {

void print_left_out(const Report& report) {
  for (const std::string& reason : report.skipped) {
    std::cerr << "left out: " << shown(reason) << '\n';
  }
  if (report.skipped.empty()) return;  // where features are kept, nothing may decode
  const std::uint64_t times = report.stage("decode").skipped;
  if (times > report.skipped.size()) {
    std::cerr << "left out: " << times << ' ' << plural(times, "time") << " in all epochs\n";
  }
}

void warn_of_lost(const Training& t) {
  if (t.lost == nullptr) return;
  for (const Phase phase : {Phase::training, Phase::validation}) {
    const bool is_training = phase == Phase::training;
    const SampleSet& set = is_training ? t.data.training : t.data.validation;
    if (set.size() == 0) continue;
    const std::string what =
        concat(is_training ? "training " : "validation ", unit_of(*set.dataset, set.size()));
    for (const std::string& line : t.lost->warnings(set, phase, what)) {
      std::cerr << "millrace: warning: " << shown(line) << '\n';
    }
  }
}

std::vector<std::pair<std::string, std::string>> left_out_of(const Training& t) {
  const SampleSet& training = t.data.training;
  const SampleSet& validation = t.data.validation;
  LeftOut all = training.dataset->left_out();
  const bool has_two = validation.dataset != nullptr && validation.dataset != training.dataset;
  if (has_two) all.add(validation.dataset->left_out());
  std::uint64_t lost = 0;
  if (t.lost != nullptr) lost += t.lost->count(training, Phase::training);
  if (t.lost != nullptr && validation.size() > 0) {
    lost += t.lost->count(validation, Phase::validation);
  }
  std::vector<std::pair<std::string, std::string>> members;
  const nlohmann::ordered_json json = json_of(all, lost);
  for (const auto& [name, value] : json.items()) members.emplace_back(name, value.dump());
  return members;
}

}  // namespace millrace::apps
