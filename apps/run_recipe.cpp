#include "apps/run_recipe.h"

#include "apps/find_model.h"

#include <millrace/core/error.h>
#include <millrace/io/generated.h>
#include <millrace/training/recipe.h>

#include <algorithm>

namespace millrace::apps {

std::string recipe_of(TrainOptions options) {
  for (std::string* path : {&options.data, &options.validation, &options.callbacks.csv_log}) {
    if (path->empty() || is_generated(*path)) continue;
    *path = std::filesystem::absolute(*path).string();
  }
  if (is_model_description(options.model)) {
    options.model = std::filesystem::absolute(options.model).string();
  }
  options.labels.class_names = class_names_text(options.labels.class_names);
  if (!options.transfer.weights.empty()) {
    options.transfer.weights =
        std::filesystem::absolute(weights_file(options.transfer.weights)).string();
  }
  CommandLine line("train", "", "");
  declare(line, options);
  return recipe_text(line);
}

TrainOptions options_of_run(const std::filesystem::path& run) {
  TrainOptions options;
  CommandLine line("train", "", "");
  declare(line, options);
  line.accept_recipe();
  (void)line.parse({"--recipe", (run / "config.ini").string()});
  return options;
}

std::optional<Arguments> arguments_of_resumed(Arguments arguments) {
  TrainOptions options;
  CommandLine line("train", "", "");
  declare(line, options);
  line.accept_recipe();
  const bool resumes = std::any_of(arguments.begin(), arguments.end(), [](const std::string& word) {
    return word.rfind("--resume", 0) == 0;
  });
  if (!resumes) return arguments;
  if (!line.parse(arguments)) return std::nullopt;
  const std::filesystem::path run = options.callbacks.resume;
  const char* const other = !line.recipe().empty()          ? "recipe"
                            : line.was_given("run-dir")   ? "run-dir"
                            : line.was_given("overwrite") ? "overwrite"
                                                          : nullptr;
  if (other != nullptr) {
    throw UsageError(concat("train: --resume goes on in ", run.string(),
                            " as it was begun; leave out --", other));
  }
  if (!std::filesystem::exists(run / "config.ini")) {
    throw Error(concat(run.string(), ": holds no run to go on with (no config.ini)"));
  }
  const std::string config = (run / "config.ini").string();
  arguments.insert(arguments.end(), {"--recipe", config, "--run-dir", run.string()});
  TrainOptions begun;
  CommandLine recipe("train", "", "");
  declare(recipe, begun);
  recipe.accept_recipe();
  (void)recipe.parse({"--recipe", config});
  // Begun before there was such an option, when images were taken as they are stored.
  constexpr const char* kAsStored = "no-exif-orientation";
  if (!recipe.was_given(kAsStored)) arguments.push_back(concat("--", kAsStored));
  return arguments;
}

}  // namespace millrace::apps
