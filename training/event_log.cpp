#include <millrace/training/event_log.h>

#include <millrace/training/prune_summary.h>

#include <algorithm>
#include <utility>

namespace millrace {
namespace {

constexpr std::string_view kValidationPrefix = "val_";

std::int64_t signed_step(std::uint64_t step) {
  return static_cast<std::int64_t>(step);
}

}  // namespace

EventLog::EventLog(std::filesystem::path folder, std::uint64_t batch_interval)
    : folder_(std::move(folder)), batch_interval_(batch_interval) {}

EventWriter& EventLog::run(const std::string& name) {
  return runs_.try_emplace(name, folder_ / name).first->second;
}

void EventLog::step(const StepRecord& record) {
  const std::int64_t step = signed_step(record.global_step);
  // With results of several steps: the first that come at or behind a multiple of the interval.
  const auto covered = static_cast<std::uint64_t>(std::max<std::int64_t>(record.steps, 1));
  const bool is_asked_for = batch_interval_ > 0 && record.global_step % batch_interval_ < covered;
  if (is_asked_for && record.tag.phase == Phase::training && record.result.samples > 0) {
    if (record.has_accuracy) {
      run("train").scalar("batch_accuracy", step, record.totals.accuracy());
    }
    run("train").scalar("batch_loss", step, record.totals.mean_loss());
  }
  // At the end of an epoch the masks may be those of its last step, which are told already.
  if (record.pruning != nullptr && pruning_step_ != record.global_step) {
    for (const auto& [tag, value] : named_values(*record.pruning)) {
      run("metrics").scalar(tag, step, value);
    }
    pruning_step_ = record.global_step;
  }
}

void EventLog::epoch(const EpochRecord& record) {
  const std::int64_t epoch = record.epoch;
  EventWriter& train = run("train");
  if (record.has_accuracy) {
    train.scalar("epoch_accuracy", epoch, record.training.accuracy());
  }
  train.scalar("epoch_loss", epoch, record.training.mean_loss());
  train.scalar("epoch_learning_rate", epoch, record.learning_rate);

  const auto validation = [&](const std::string& measure, double value) {
    run("validation")
        .scalar("evaluation_" + measure + "_vs_iterations", signed_step(record.global_step), value);
    run("validation").scalar("epoch_" + measure, epoch, value);
  };
  if (record.validation && record.validation->samples > 0) {
    if (record.has_accuracy) validation("accuracy", record.validation->accuracy());
    validation("loss", record.validation->mean_loss());
  }
  for (const auto& [name, value] : record.extra) {
    if (name.find('/') != std::string::npos) continue;  // of a tensor: told by its step
    if (name.starts_with(kValidationPrefix)) {
      validation(name.substr(kValidationPrefix.size()), value);
    } else {
      train.scalar("epoch_" + name, epoch, value);
    }
  }
}

void EventLog::contact_sheet(std::span<const std::byte> png, int height, int width) {
  run("train").image("augmented", 0, png, height, width);
}

}  // namespace millrace
