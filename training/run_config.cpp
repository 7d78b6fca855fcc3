#include <millrace/training/run_config.h>

#include <millrace/core/error.h>
#include <millrace/io/generated.h>
#include <millrace/training/find_model.h>
#include <millrace/training/recipe.h>
#include <millrace/training/transfer.h>

namespace millrace {

std::string recipe_of(TrainSpec spec, bool goes_on) {
  const auto absolute = [](const std::string& path) {
    return path.empty() ? path : std::filesystem::absolute(path).string();
  };
  for (std::string* path : {&spec.data.path, &spec.data.validation}) {
    if (!is_generated(*path)) *path = absolute(*path);
  }
  if (!spec.run.csv_log.empty()) spec.run.csv_log = std::filesystem::absolute(spec.run.csv_log);
  if (is_model_description(spec.model.name)) spec.model.name = absolute(spec.model.name);
  std::error_code ignored;
  const std::string& weights = spec.model.weights;
  if (!weights.empty() && (!goes_on || std::filesystem::exists(weights, ignored))) {
    spec.model.weights = absolute(weights_file(weights).string());
  }
  OptionList options;
  list(options, spec);
  return recipe_text(options);
}

namespace {

/// Reads a run's config.ini into options, less what has no effect.
void read_config(const std::filesystem::path& run, OptionList& options) {
  const std::filesystem::path config = run / "config.ini";
  if (!std::filesystem::exists(config)) {
    throw Error(concat(run.string(), ": holds no run to resume (no config.ini)"));
  }
  read_recipe(config, options);
  // Begun before there was such an option, when images were taken as they are stored.
  constexpr const char* kTurned = "exif-orientation";
  if (!options.was_given(kTurned)) options.set(kTurned, "false", OptionSource::recipe);
  // Likewise; it goes on to the bit.
  constexpr const char* kFeatures = "cache-features";
  if (!options.was_given(kFeatures)) options.set(kFeatures, "no", OptionSource::recipe);
  (void)options.settle();
}

}  // namespace

void begin_as_run(const std::filesystem::path& run, OptionList& options) {
  TrainSpec spec;
  OptionList begun;
  list(begun, spec);
  read_config(run, begun);
  for (const auto& option : begun.options()) {
    const bool is_said = options.find(option->name).option->source == OptionSource::command_line;
    if (is_said || option->source == OptionSource::nobody) continue;
    options.set(option->name, option->write(), OptionSource::recipe);
  }
}

TrainSpec spec_of_run(const std::filesystem::path& run) {
  TrainSpec spec;
  OptionList options;
  list(options, spec);
  read_config(run, options);
  return spec;
}

}  // namespace millrace
