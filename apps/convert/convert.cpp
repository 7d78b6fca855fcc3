// millrace convert: a data set or weights from one form into another.

#include "apps/commands.h"
#include "apps/common/command_line.h"
#include "apps/common/progress.h"
#include "apps/convert/convert_weights.h"

#include <millrace/core/error.h>
#include <millrace/core/number_text.h>
#include <millrace/core/plural.h>
#include <millrace/core/shown_text.h>
#include <millrace/io/convert_idx.h>
#include <millrace/pipeline/interrupt.h>
#include <millrace/training/option_text.h>
#include <millrace/training/options/options.h>

#include <iostream>
#include <string>
#include <vector>

namespace millrace::apps {
int convert(const Arguments& arguments) {
  std::string form, from, to;
  std::vector<std::string> names;
  bool quiet = false;
  ConvertWeightsOptions weights;
  CommandLine line(
      "convert", "convert idx DIR OUT | weights IN OUT [OPTIONS]",
      "idx: turns an IDX data set (MNIST, Fashion-MNIST; .gz or not) in DIR into PNG files\n"
      "OUT/train/CLASS/NUMBER.png and OUT/test/CLASS/NUMBER.png. OUT appears when it is whole;\n"
      "after an interruption, run it again to continue.\n"
      "weights: turns weights of Keras (.h5, .weights.h5), PyTorch or Millrace into a safetensors\n"
      "file with PyTorch's layouts, for VGG16 with torchvision's names. IN is a file, or vgg16 "
      "and\n"
      "vgg16-top as in 'train --weights'.");
  line.positional("form", form);
  line.positional("from", from);
  line.positional("to", to);
  line.topic("classes", "Classes");
  list_class_names(line, names);
  line.find("class-names")
      .option->also_called("names")
      .by_default("0, 1, ...; of weights the model's own");
  line.topic("weights", "Weights");
  line("model", weights.model, "MODEL",
       "what the weights are of: a name, a JSON file, a model file")
      .by_default("IN's own, or VGG16");
  line("input", weights.input, "HxWxC|F", "of a model that is named");
  line("outputs", weights.outputs, "K", "of a model that is named", at_least(0));
  list_ignored_layers(line, weights.pretrained.ignored);
  list_flatten_order(line, weights.pretrained.flatten);
  line.topic("output", "Output");
  line("quiet", quiet, "", "print errors only");
  if (!line.parse(arguments)) return 0;
  if (form != "idx" && form != "weights") {
    throw UsageError(concat(form.empty() ? std::string("convert: nothing to convert")
                                         : concat("convert: unknown form '", form, "'"),
                            "; choose idx DIR OUT or weights IN OUT"));
  }
  if (from.empty() || to.empty()) {
    throw UsageError(
        concat("convert ", form, ": needs ", form == "idx" ? "DIR" : "IN", " and OUT"));
  }
  if (form == "weights") {
    weights.from = from;
    weights.to = to;
    weights.classes = names;
    weights.quiet = quiet;
    convert_weights(weights);
    return 0;
  }

  Interrupt interrupt(last_words());
  const Show show = how_to_show(quiet);
  try {
    Counting counting(show, "writing " + shown(to), "images");
    const Conversion done =
        convert_idx(from, to,
                    {.classes = names,
                     .watch = {[&](std::uint64_t count) { counting(count); }, interrupt.token()}});
    counting.clear();
    if (show != Show::nothing) {
      std::cout << shown(to) << ": " << with_commas(done.images) << ' '
                << plural(done.images, "image") << (done.was_complete ? ", there already" : "")
                << '\n';
    }
    return 0;
  } catch (const Stopped&) {
    std::cerr << "millrace: stopped by a signal; run the same command again to continue\n";
    return interrupt.exit_status();
  }
}

}  // namespace millrace::apps
