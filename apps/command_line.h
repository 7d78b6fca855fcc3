#pragma once
// Options of commands: declared once in a struct's visitor, read from the command line and from
// recipe files, printed by topic, written back as a recipe. Boost.Program_options does the parsing.
//
//   struct Options { int epochs = 10; bool flip = false; };
//   template <class Visitor> void visit(Options& o, Visitor&& v) {
//     v.topic("training", "Training");
//     v("epochs", o.epochs, "N", "passes through the data");
//   }

#include <boost/program_options.hpp>

#include <concepts>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace millrace::apps {

/// The options of a command and its positional arguments.
class CommandLine {
 public:
  /// `usage` is the text after "usage: millrace ", e.g. "train DATA [OPTIONS]".
  CommandLine(std::string command, std::string usage, std::string description);

  /// Begins a group of options; `--help KEY` prints it alone.
  void topic(const std::string& key, const std::string& title);
  /// Boost would take "-1" for a large number where the field has no sign.
  template <std::unsigned_integral T>
  void operator()(const char* name, T& field, const char* argument, const char* help) {
    const auto notify = [this, name, &field](std::int64_t value) {
      field = static_cast<T>(value);
      if (value < 0 || static_cast<std::int64_t>(field) != value) out_of_range(name, value);
    };
    add(name, boost::program_options::value<std::int64_t>()->notifier(notify)->value_name(argument),
        help);
    values_.emplace_back(name, [&field] { return text_of(field); });
  }
  template <class T>
  void operator()(const char* name, T& field, const char* argument, const char* help) {
    add(name,
        boost::program_options::value<T>()
            ->notifier([&field](const T& v) { field = v; })
            ->value_name(argument),
        help);
    values_.emplace_back(name, [&field] { return text_of(field); });
  }
  template <std::unsigned_integral T>
  void operator()(const char* name, std::optional<T>& field, const char* argument,
                  const char* help) {
    const auto notify = [this, name, &field](std::int64_t value) {
      field = static_cast<T>(value);
      if (value < 0 || static_cast<std::int64_t>(*field) != value) out_of_range(name, value);
    };
    add(name, boost::program_options::value<std::int64_t>()->notifier(notify)->value_name(argument),
        help);
    values_.emplace_back(name, [&field] { return field ? text_of(*field) : std::string(); });
  }
  template <class T>
  void operator()(const char* name, std::optional<T>& field, const char* argument,
                  const char* help) {
    add(name,
        boost::program_options::value<T>()
            ->notifier([&field](const T& v) { field = v; })
            ->value_name(argument),
        help);
    values_.emplace_back(name, [&field] { return field ? text_of(*field) : std::string(); });
  }
  void operator()(const char* name, bool& field, const char*, const char* help) {
    add(name,
        boost::program_options::bool_switch()->notifier([&field](bool v) { field = field || v; }),
        help);
    values_.emplace_back(name, [&field] { return field ? "true" : "false"; });
  }
  /// A positional argument; `many` takes all that are left.
  void positional(const char* name, std::string& field);
  void positional_many(const char* name, std::vector<std::string>& field);
  /// Adds --recipe FILE, whose keys are the names of options. The command line wins.
  void accept_recipe();

  /// Reads the arguments into the fields. Returns false when --help was asked for and printed.
  /// Throws UsageError naming the command and the option or recipe line.
  [[nodiscard]] bool parse(const std::vector<std::string>& arguments);

  /// Whether an option was given, by the command line or the recipe.
  [[nodiscard]] bool was_given(const std::string& name) const {
    return values_map_.count(name) != 0 && !values_map_[name].defaulted();
  }

  /// All options with a value as a recipe, less those named in `without`.
  [[nodiscard]] std::string recipe(const std::vector<std::string>& without) const;

 private:
  template <class T>
  static std::string text_of(const T& value) {
    std::ostringstream out;
    out.precision(17);
    out << value;
    return out.str();
  }
  void add(const char* name, boost::program_options::value_semantic* value, const char* help);
  void print_help(const std::string& topic) const;
  void read_recipe(const std::string& name);
  [[noreturn]] void refuse(const std::string& why) const;
  [[noreturn]] void out_of_range(const char* name, std::int64_t value) const;

  std::string command_, usage_, description_;
  struct Topic {
    std::string key;
    boost::program_options::options_description options;
  };
  std::vector<Topic> topics_;
  boost::program_options::options_description hidden_;
  boost::program_options::positional_options_description positional_;
  boost::program_options::variables_map values_map_;
  std::vector<std::pair<std::string, std::function<std::string()>>> values_;
  std::vector<std::string> positional_names_;
  bool takes_recipe_ = false;
};

}  // namespace millrace::apps
