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
#include <millrace/io/convert_tar.h>
#include <millrace/pipeline/interrupt.h>
#include <millrace/training/option_text.h>
#include <millrace/training/options/options.h>

#include <iostream>
#include <string>
#include <vector>

namespace millrace::apps {
namespace {

/// "10000" is a number of samples, "256MiB" a number of bytes.
ShardSize read_shard_size(std::string_view text) {
  const bool is_count =
      !text.empty() && text.find_first_not_of("+0123456789") == std::string_view::npos;
  ShardSize size;
  try {
    if (is_count) size.samples = OptionText<std::uint64_t>::read(text);
    if (!is_count) size.bytes = OptionText<Bytes>::read(text);
  } catch (const BadOptionText&) {
    throw BadOptionText("a number of samples or a size such as 256MiB");
  }
  if (size.samples == 0 || size.bytes.count == 0) throw BadOptionText("more than nothing");
  return size;
}

std::string write_shard_size(const ShardSize& size) {
  return size.samples ? OptionText<std::uint64_t>::write(*size.samples)
                      : OptionText<Bytes>::write(size.bytes);
}

/// What is turned into what, and how.
struct DataConversion {
  std::string from, to;
  std::vector<std::string> class_names;
  ConvertTarOptions tar;
  bool quiet = false;
};

std::string convert_data(const DataConversion& o, bool is_tar, const Watch& watch) {
  if (is_tar) {
    ConvertTarOptions options = o.tar;
    options.watch = watch;
    const TarConversion done = convert_tar(o.from, o.to, options);
    return concat(with_commas(done.images), ' ', plural(done.images, "image"), " in ",
                  with_commas(done.shards), ' ', plural(done.shards, "shard"));
  }
  const Conversion done = convert_idx(o.from, o.to, {.classes = o.class_names, .watch = watch});
  return concat(with_commas(done.images), ' ', plural(done.images, "image"),
                done.was_complete ? ", there already" : "");
}

int convert_watched(const DataConversion& o, bool is_tar) {
  Interrupt interrupt(last_words());
  const Show show = how_to_show(o.quiet);
  try {
    Counting counting(show, "writing " + shown(o.to), "images");
    const std::string done =
        convert_data(o, is_tar, {[&](std::uint64_t count) { counting(count); }, interrupt.token()});
    counting.clear();
    if (show != Show::nothing) std::cout << shown(o.to) << ": " << done << '\n';
    return 0;
  } catch (const Stopped&) {
    std::cerr << "millrace: stopped by a signal; run the same command again "
              << (is_tar ? "to start over\n" : "to continue\n");
    return interrupt.exit_status();
  }
}

void list_tar(CommandLine& line, ConvertTarOptions& o, const std::string& form) {
  const auto is_tar = [&form] { return form == "tar"; };
  line.topic("tar", "Tar shards");
  line("shard-size", o.size, "N|SIZE",
       "size of a shard: a number of samples, or at most this many bytes",
       {&read_shard_size, &write_shard_size})
      .needs("'convert tar'", is_tar);
  line("shuffle", o.shuffle, "", "keep the order of the data set: one class after the other")
      .needs("'convert tar'", is_tar);
  line("seed", o.seed, "N", "seed of the order").needs("'convert tar'", is_tar);
}

}  // namespace

int convert(const Arguments& arguments) {
  std::string form;
  DataConversion o;
  ConvertWeightsOptions weights;
  CommandLine line(
      "convert", "convert idx DIR OUT | tar DIR OUT | weights IN OUT [OPTIONS]",
      "idx: turns an IDX data set (MNIST, Fashion-MNIST; .gz or not) in DIR into PNG files\n"
      "OUT/train/CLASS/NUMBER.png and OUT/test/CLASS/NUMBER.png. OUT appears when it is whole;\n"
      "after an interruption, run it again to continue.\n"
      "tar: packs a folder of class folders into tar shards as in WebDataset, shuffled by a\n"
      "seed: OUT/train-000000.tar, ..., val-000000.tar or shard-000000.tar, and "
      "OUT/classnames.txt.\n"
      "weights: turns weights of Keras (.h5, .keras), PyTorch (.pth) or Millrace into a safetensors\n"
      "file with PyTorch's layouts, for VGG16 with torchvision's names. IN is a file, or a "
      "name\n"
      "as in 'train --weights'.");
  line.positional("form", form);
  line.positional("from", o.from);
  line.positional("to", o.to);
  line.topic("classes", "Classes");
  list_class_names(line, o.class_names);
  line.find("class-names")
      .option->also_called("names")
      .by_default("0, 1, ...; of weights the model's own")
      .needs("'convert idx' or 'convert weights'", [&form] { return form != "tar"; });
  list_tar(line, o.tar, form);
  line.topic("weights", "Weights");
  line("model", weights.model, "MODEL",
       "what the weights are of: a name, a JSON file, a model file")
      .by_default("IN's own, or VGG16");
  line("input", weights.input, "HxWxC|F", "of a model that is named");
  line("outputs", weights.outputs, "K", "of a model that is named", at_least(0));
  list_ignored_layers(line, weights.pretrained.ignored);
  list_flatten_order(line, weights.pretrained.flatten);
  line.topic("output", "Output");
  line("quiet", o.quiet, "", "print errors only");
  if (!line.parse(arguments)) return 0;
  if (form != "idx" && form != "tar" && form != "weights") {
    throw UsageError(concat(form.empty() ? std::string("convert: nothing to convert")
                                         : concat("convert: unknown form '", form, "'"),
                            "; choose idx DIR OUT, tar DIR OUT or weights IN OUT"));
  }
  if (o.from.empty() || o.to.empty()) {
    throw UsageError(
        concat("convert ", form, ": needs ", form == "weights" ? "IN" : "DIR", " and OUT"));
  }
  if (form != "weights") return convert_watched(o, form == "tar");
  weights.from = o.from;
  weights.to = o.to;
  weights.classes = o.class_names;
  weights.quiet = o.quiet;
  convert_weights(weights);
  return 0;
}

}  // namespace millrace::apps
