// millrace convert: a data set or weights from one form into another.

#include "apps/commands.h"
#include "apps/common/command_line.h"
#include "apps/common/left_out_report.h"
#include "apps/common/progress.h"
#include "apps/convert/convert_onnx.h"
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

#include <functional>
#include <iostream>
#include <stop_token>
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
  constexpr Bytes kLeast = 10_KiB;  // of any archive
  if (size.samples == 0) throw BadOptionText("1 or more");
  if (!size.samples && size.bytes < kLeast) throw BadOptionText(concat(kLeast, " or more"));
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
  BadImages on_bad_image = BadImages::fail;
  bool overwrite = false, quiet = false;
};

/// What was done, and notes.
struct Converted {
  std::string what;
  std::vector<std::string> notes{};
};

Converted convert_data(const DataConversion& o, bool is_tar, const Watch& watch) {
  if (is_tar) {
    ConvertTarOptions options = o.tar;
    options.watch = watch;
    options.skips_unreadable = o.on_bad_image == BadImages::skip;
    const TarConversion done = convert_tar(o.from, o.to, options);
    return {concat(with_commas(done.images), ' ', plural(done.images, "image"), " in ",
                   with_commas(done.shards), ' ', plural(done.shards, "shard")),
            done.notes};
  }
  const Conversion done = convert_idx(o.from, o.to, {.classes = o.class_names, .watch = watch});
  return {concat(with_commas(done.images), ' ', plural(done.images, "image"),
                 done.was_complete ? ", there already" : "")};
}

int convert_watched(const DataConversion& o, bool is_tar) {
  Interrupt interrupt(last_words());
  const Show show = how_to_show(o.quiet);
  try {
    Counting counting(show, "writing " + shown(o.to), "images");
    const Converted done =
        convert_data(o, is_tar, {[&](std::uint64_t count) { counting(count); }, interrupt.token()});
    counting.clear();
    for (const std::string& note : done.notes) print_note(note, show);
    if (show != Show::nothing) std::cout << shown(o.to) << ": " << done.what << '\n';
    return 0;
  } catch (const Stopped&) {
    std::cerr << "millrace: stopped by a signal; run the same command again "
              << (is_tar ? "to start over\n" : "to continue\n");
    return interrupt.exit_status();
  }
}

int convert_stoppable(const std::string& to,
                      const std::function<void(const std::stop_token&)>& convert) {
  Interrupt interrupt;
  try {
    convert(interrupt.token());
    return 0;
  } catch (const Stopped&) {
    std::cerr << "millrace: stopped by a signal before " << shown(to) << " was written\n";
    return interrupt.exit_status();
  }
}

void list_tar(CommandLine& line, DataConversion& conversion, const std::string& form) {
  ConvertTarOptions& o = conversion.tar;
  const auto is_tar = [&form] { return form == "tar"; };
  line.topic("tar", "Tar shards");
  line("shard-size", o.size, "N|SIZE",
       "size of a shard: a number of samples, or at most this many bytes",
       {&read_shard_size, &write_shard_size})
      .needs("'convert tar'", is_tar);
  line("shuffle", o.shuffle, "", "keep the order of the data set: one class after the other")
      .needs("'convert tar'", is_tar);
  line("seed", o.seed, "N", "seed of the order").needs("'convert tar'", is_tar);
  list_bad_images(line, conversion.on_bad_image);
  line.find("on-bad-image").option->needs("'convert tar'", is_tar);
}

void list_weights(CommandLine& line, ConvertWeightsOptions& o, const std::string& form) {
  line.topic("weights", "Weights");
  line("model", o.model, "MODEL", "what the weights are of: a name, a JSON file, a model file")
      .by_default("IN's own, else what IN is known as");
  line("input", o.input, "HxWxC|F", "for a model given by its name")
      .by_default("that of IN, else 224x224x3, else the one that the weights fit");
  line("outputs", o.outputs, "K", "for a model given by its name", at_least(0))
      .by_default("as many as IN has");
  list_ignored_layers(line, o.pretrained.ignored);
  list_flatten_order(line, o.pretrained.flatten);
  for (const char* name : {"model", "input", "outputs", "ignore-layers", "flatten-order"}) {
    line.find(name).option->needs("'convert weights'", [&form] { return form == "weights"; });
  }
}

void list_onnx(CommandLine& line, ConvertOnnxOptions& o, const std::string& form) {
  const auto is_onnx = [&form] { return form == "onnx"; };
  line.topic("onnx", "ONNX");
  line("opset", o.opset, "N", "version of ONNX's operators", within(kLeastOpset, kMostOpset))
      .needs("'convert onnx'", is_onnx);
  line("with-preprocessing", o.with_preprocessing, "",
       "scale, mean, deviation and order of channels are part of the graph, which then takes "
       "pixels from 0 to 255 in RGB; resizing never is")
      .needs("'convert onnx'", is_onnx);
}

/// Throws UsageError.
void check_form(const std::string& form, const DataConversion& o) {
  const bool is_of_model = form == "weights" || form == "onnx";
  if (form != "idx" && form != "tar" && !is_of_model) {
    throw UsageError(concat(form.empty() ? std::string("convert: nothing to convert")
                                         : concat("convert: unknown form '", form, "'"),
                            "; choose idx DIR OUT, tar DIR OUT, weights IN OUT or onnx MODEL OUT"));
  }
  if (o.from.empty() || o.to.empty()) {
    const char* const from = form == "onnx" ? "MODEL" : is_of_model ? "IN" : "DIR";
    throw UsageError(concat("convert ", form, ": needs ", from, " and OUT"));
  }
}

}  // namespace

int convert(const Arguments& arguments) {
  std::string form;
  DataConversion o;
  ConvertWeightsOptions weights;
  ConvertOnnxOptions onnx;
  CommandLine line(
      "convert",
      "convert idx DIR OUT | tar DIR OUT | weights IN OUT | onnx MODEL OUT.onnx [OPTIONS]",
      "idx: turns an IDX data set (MNIST, Fashion-MNIST; .gz or not) in DIR into PNG files "
      "OUT/train/CLASS/NUMBER.png and OUT/test/CLASS/NUMBER.png. OUT appears when it is complete; "
      "after an interruption, run it again to continue.\n"
      "tar: packs a folder of class folders into tar shards as in WebDataset, shuffled by a seed: "
      "OUT/train-000000.tar, ..., val-000000.tar or shard-000000.tar, and OUT/classnames.txt.\n"
      "weights: turns weights of Keras (.h5, .keras), PyTorch (.pth) or Millrace into a "
      "safetensors "
      "file with PyTorch's layouts, of the zoo's networks with torchvision's names. IN is a file, "
      "or a name "
      "as in 'train --weights'.\n"
      "onnx: writes a trained model, a run directory or a .safetensors file, as a graph for "
      "onnxruntime and the like: images are NxCxHxW, the number of samples is free, softmax or "
      "sigmoid at the end are part of it, images are resized outside.");
  line.positional("form", form);
  line.positional("from", o.from);
  line.positional("to", o.to);
  line.topic("classes", "Classes");
  list_class_names(line, o.class_names);
  line.find("class-names")
      .option->also_called("names")
      .by_default("0, 1, ...; of weights the model's own")
      .needs("'convert idx' or 'convert weights'",
             [&form] { return form != "tar" && form != "onnx"; });
  list_tar(line, o, form);
  list_weights(line, weights, form);
  list_onnx(line, onnx, form);
  line.topic("output", "Output");
  line("overwrite", o.overwrite, "", "replace the file OUT if it exists")
      .needs("'convert weights' or 'convert onnx'",
             [&form] { return form == "weights" || form == "onnx"; });
  line("quiet", o.quiet, "", "print errors only");
  if (!line.parse(arguments)) return 0;
  check_form(form, o);
  if (form == "onnx") {
    onnx.from = o.from;
    onnx.to = o.to;
    onnx.overwrite = o.overwrite;
    onnx.quiet = o.quiet;
    return convert_stoppable(o.to, [&](const auto& stop) { convert_onnx(onnx, stop); });
  }
  if (form != "weights") return convert_watched(o, form == "tar");
  weights.from = o.from;
  weights.to = o.to;
  weights.classes = o.class_names;
  weights.overwrite = o.overwrite;
  weights.quiet = o.quiet;
  return convert_stoppable(o.to, [&](const auto& stop) { convert_weights(weights, stop); });
}

}  // namespace millrace::apps
