#include "apps/run_directory.h"

#include <millrace/core/error.h>
#include <millrace/io/files.h>
#include <millrace/nodes/saved_model.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <utility>

namespace millrace::apps {
namespace {

constexpr std::array<const char*, 5> kFiles = {"config.ini", "metrics.csv", "model.safetensors",
                                               "report.json", "trace.json"};

void write_atomically(const std::filesystem::path& path, const std::string& text) {
  AtomicFile file(path);
  file.write(text);
  file.commit();
}

}  // namespace

std::filesystem::path default_run_directory() {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  localtime_r(&now, &local);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y%m%d-%H%M%S", &local);
  return std::filesystem::path("runs") / text.data();
}

RunDirectory::RunDirectory(std::filesystem::path path, bool overwrite) : path_(std::move(path)) {
  create_folders(path_);
  for (const char* name : kFiles) {
    const std::filesystem::path file = path_ / name;
    if (!std::filesystem::exists(file)) continue;
    if (!overwrite) {
      throw Error(concat(path_.string(),
                         ": holds a run already; choose another --run-dir, or --overwrite it"));
    }
    std::filesystem::remove(file);
  }
  metrics_.open(path_ / "metrics.csv");
  metrics_ << "epoch,loss,accuracy,val_loss,val_accuracy,learning_rate,samples,left_out,images_per_"
              "s,seconds\n"
           << std::flush;
  if (!metrics_) {
    throw Error(concat(path_.string(), ": cannot be written: ", std::strerror(errno),
                       "; choose another --run-dir"));
  }
}

void RunDirectory::write_config(const std::string& recipe) const {
  write_atomically(path_ / "config.ini", "# Run this again with: millrace train --recipe " +
                                             (path_ / "config.ini").string() +
                                             " --run-dir OTHER\n" + recipe);
}

void RunDirectory::write_epoch(const EpochRecord& r, const nn::Model& model) {
  metrics_.precision(9);
  metrics_ << r.epoch + 1 << ',' << r.training.mean_loss() << ',' << r.training.accuracy() << ',';
  if (r.validation && r.validation->samples > 0)
    metrics_ << r.validation->mean_loss() << ',' << r.validation->accuracy();
  else
    metrics_ << ',';
  metrics_ << ',' << r.learning_rate << ',' << r.training.samples << ',' << r.holes << ','
           << (r.training_s > 0 ? static_cast<double>(r.training.samples) / r.training_s : 0.0)
           << ',' << r.seconds << '\n'
           << std::flush;
  if (!metrics_)
    throw Error(
        concat((path_ / "metrics.csv").string(), ": cannot be written: ", std::strerror(errno)));
  if (r.snapshot) save_model(model_file(), model, r.snapshot->parameters);
}

void RunDirectory::write_report(const Report& report) const {
  write_atomically(path_ / "report.json", report.json());
}

}  // namespace millrace::apps
