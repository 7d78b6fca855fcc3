#include "apps/run_recipe.h"

#include "apps/find_model.h"

#include <millrace/core/error.h>
#include <millrace/io/generated.h>

#include <algorithm>
#include <array>

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
  // A run that is gone on with needs the file no more, so it may be gone.
  if (!options.transfer.weights.empty() && options.callbacks.resume.empty()) {
    options.transfer.weights =
        std::filesystem::absolute(weights_file(options.transfer.weights)).string();
  }
  CommandLine line("train", "", "");
  declare(line, options);
  return line.recipe({"run-dir", "overwrite", "print-plan", "quiet", "resume"});
}

TrainOptions options_of_run(const std::filesystem::path& run) {
  TrainOptions options;
  CommandLine line("train", "", "");
  declare(line, options);
  line.accept_recipe();
  (void)line.parse({"--recipe", (run / "config.ini").string()});
  return options;
}

bool says_model(const Arguments& arguments) {
  constexpr std::array kOfModel{"model",
                                "initializer",
                                "weights",
                                "head",
                                "freeze",
                                "size",
                                "channels",
                                "filter",
                                "scale",
                                "mean",
                                "deviation",
                                "preprocessing",
                                "background",
                                "keras-compat",
                                "no-exif-orientation",
                                "class-mode",
                                "samplewise-center",
                                "samplewise-std",
                                "zca",
                                "zca-epsilon",
                                "fit-samples",
                                "featurewise-center",
                                "featurewise-std",
                                "ignore-layers",
                                "flatten-order"};
  TrainOptions options;
  CommandLine line("train", "", "");
  declare(line, options);
  line.accept_recipe();
  (void)line.parse(arguments);
  return std::any_of(kOfModel.begin(), kOfModel.end(),
                     [&](const char* name) { return line.was_given(name); });
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
  for (const char* other : {"recipe", "run-dir", "overwrite"}) {
    if (line.was_given(other)) {
      throw UsageError(concat("train: --resume goes on in ", run.string(),
                              " as it was begun; leave out --", other));
    }
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
