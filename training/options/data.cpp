#include <millrace/core/shown_text.h>
#include <millrace/io/data_layout.h>
#include <millrace/io/files.h>
#include <millrace/training/options/options.h>

#include <algorithm>
#include <filesystem>
#include <sstream>

namespace millrace {
namespace {

std::vector<std::string> lines_of(const std::string& file) {
  const std::vector<std::byte> bytes = read_file(file);
  std::string_view all(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (all.starts_with("\xEF\xBB\xBF")) all.remove_prefix(3);  // a byte order mark
  std::istringstream in{std::string(all)};
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  while (!lines.empty() && trimmed(lines.back()).empty()) lines.pop_back();
  return lines;
}

/// At commas without a backslash before them.
std::vector<std::string> names_between_commas(std::string_view text) {
  std::vector<std::string> names(1);
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool is_escaped =
        text[i] == '\\' && i + 1 < text.size() && (text[i + 1] == ',' || text[i + 1] == '\\');
    if (is_escaped) {
      names.back() += text[++i];
    } else if (text[i] == ',') {
      names.emplace_back();
    } else {
      names.back() += text[i];
    }
  }
  return names;
}

std::string write_class_names(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) {
    if (!text.empty()) text += ',';
    for (const char c : name) {
      if (c == ',' || c == '\\') text += '\\';
      text += c;
    }
  }
  return text;
}

char read_separator(std::string_view text) {
  if (text.empty() || text == "none") return '\0';
  if (text == "tab" || text == "\\t") return '\t';
  if (text.size() != 1 || !is_table_separator(text[0])) throw BadOptionText(kTableSeparators);
  return text[0];
}

std::string write_separator(const char& separator) {
  if (separator == '\0') return {};
  return separator == '\t' ? std::string("tab") : std::string(1, separator);
}

}  // namespace

void list_data(OptionList& options, TrainSpec& spec) {
  DataSpec& o = spec.data;
  options.positional("data", o.path);
  options.topic("data", "Data");
  options("validation", o.validation, "DIR", "validate on this data set")
      .by_default("DATA's val/ or test/, else a share of DATA");
  options("validation-share", o.validation_share, "X",
          "share of DATA held out for validation, chosen by seed, class by class; 0: none",
          from_up_to(0, 1));
  options("part", o.part, "NAME",
          "part to validate on: val or test, or train of another data set (--validation)")
      .by_default("val/ if there is one, else test/");
  options("size", spec.images.size, "N|HxW", "height and width of the model's input")
      .by_default("that of the images if all agree, else 150")
      .of_model();
  options("channels", spec.images.channels, "1|3", "1 grey, 3 RGB",
          {[](std::string_view text) -> std::optional<int> {
            if (text == "none") return std::nullopt;
            if (text == "1" || text == "3") return text == "1" ? 1 : 3;
            throw BadOptionText("1 or 3");
          }})
      .by_default("as the images are")
      .of_model();
  options("filter", spec.images.filter, "NAME",
          "resizing: nearest, box, bilinear, hamming, bicubic, lanczos")
      .by_default("bilinear")
      .of_model();
  options("scale", spec.images.scale, "X", "first multiply pixels by this")
      .by_default("1/255")
      .of_model();
  options("mean", spec.images.mean, "X[,X,X]", "then subtract this, by channel").of_model();
  options("deviation", spec.images.deviation, "X[,X,X]", "then divide by this, by channel")
      .of_model();
  list_bad_images(options, o.on_bad_image);
  options("bad-image-limit", o.bad_image_limit, "N", "fail after N bad images; 0: no limit")
      .needs("--on-bad-image skip", [&o] { return o.on_bad_image == BadImages::skip; });
  list_max_image_pixels(options, o.max_image_pixels);
  options("limit-batches", o.limit_batches, "N",
          "at most N batches of training and of validation an epoch; 0: all")
      .keeps();
  options("drop-last", o.drop_last, "",
          "leave out the last batch of an epoch if there are too few samples to fill it")
      .keeps()
      .needs("passes through the data, which --steps-per-epoch replaces",
             [&spec] { return spec.steps_per_epoch == 0; });
  options("replay", o.replay, "N",
          "for measurements without the input: load the first N batches once, then feed them over "
          "and over, without validation; 0: off")
      .keeps();
  options("resident", o.resident, "",
          "decode all samples once, before the first epoch, and keep them in the GPU's memory");
  list_images(options, spec.images);
  list_labels(options, spec.labels);
  list_table(options, o.table, false);
}

void list_bad_images(OptionList& options, BadImages& policy) {
  options("on-bad-image", policy, "fail|skip",
          "an image that cannot be read ends the run, or is left out");
}

void list_max_image_pixels(OptionList& options, std::uint64_t& pixels) {
  options("max-image-pixels", pixels, "N", "do not read images of more pixels (height times width)",
          at_least(1));
}

void list_labels(OptionList& options, LabelSpec& o) {
  options.topic("labels", "Labels");
  options("class-mode", o.class_mode, "MODE",
          "binary (one output), sparse, categorical (rows of zeros and a one), input (the image "
          "itself, for autoencoders)",
          {[](std::string_view text) -> std::optional<ClassMode> {
             if (text.empty()) return std::nullopt;
             return class_mode_named(text);  // "none" is a mode
           },
           [](const std::optional<ClassMode>& mode) -> std::string {
             return mode ? to_string(*mode) : "";
           }})
      .by_default("binary for two classes, else sparse")
      .of_model();
  options("class-weight", o.class_weight, "W",
          "weights of classes in the training loss: balanced, or cats=2,dogs=1")
      .by_default("1 each");
  list_class_names(options, o.class_names);
}

void list_class_names(OptionList& options, std::vector<std::string>& names) {
  options(
      "class-names", names, "A,B,...|FILE",
      "names of the classes 0, 1, ... where the data have numbers (IDX, tables, shards, folders of "
      "such names), or a file with one name a line",
      {&read_class_names, &write_class_names});
}

std::vector<std::string> read_class_names(std::string_view text) {
  if (text.empty() || text == "none") return {};
  std::error_code ignored;
  const std::string word(text);
  std::vector<std::string> names =
      std::filesystem::is_regular_file(word, ignored) ? lines_of(word) : names_between_commas(text);
  for (std::string& name : names) {
    name = trimmed(name);
    if (as_utf8(name) != name) throw UsageError(concat(shown(name), " is not UTF-8"));
  }
  if (names.size() < 2) {
    throw UsageError(concat("'", text, "' is neither a file nor names with commas between them"));
  }
  return names;
}

void list_table(OptionList& options, CsvOptions& o, bool has_model) {
  options.topic("table", "Tables");
  const auto usual = [has_model](const char* as_data, const char* else_words) {
    return has_model ? concat(as_data, ", else ", else_words) : std::string(else_words);
  };
  options("header", o.header, "yes|no", "whether the first line names the columns",
          {[](std::string_view text) -> std::optional<bool> {
             if (text.empty() || text == "none") return std::nullopt;
             if (text == "yes" || text == "no") return text == "yes";
             throw BadOptionText("yes or no");
           },
           [](const std::optional<bool>& value) -> std::string {
             return !value ? "none" : *value ? "yes" : "no";
           }})
      .by_default(
          usual("as the model's data", "yes if it has a word where another line has a number"));
  options("label-column", o.label, "NAME|N",
          "the column of the class, by its name or its number from 1")
      .by_default(usual("as the model's data", "the last"))
      .needs("a class column (--targets replaces it)", [&o] { return o.targets.empty(); });
  options("targets", o.targets, "A,B,...",
          has_model
              ? "columns of the model's targets, in its order, by names or numbers; the others "
                "are features"
              : "columns to learn in place of a class: numbers, or labels of 0 and 1, by names "
                "or numbers from 1; a cell without a value is unknown; the other columns are "
                "features",
          {[](std::string_view text) -> std::vector<std::string> {
             if (text.empty() || text == "none") return {};
             std::vector<std::string> names = names_between_commas(text);
             for (std::string& name : names) name = trimmed(name);
             return names;
           },
           &write_class_names})
      .by_default(has_model ? "found by their names, or without a header by their places" : "none")
      .keeps();
  options("separator", o.separator, "CHAR", "between columns: , ; | : or tab",
          {&read_separator, &write_separator})
      .by_default(usual("as the model's data", "a comma"));
}

}  // namespace millrace
