#pragma once
// Options, one row each: field, name, unit, help, range, default, the options that it needs. The
// command line, recipes, config.ini, the check of a resumed run and the tables of the manual
// come from the same rows.
//
//   void list(OptionList& options, ScheduleSpec& o) {
//     options.topic("schedule", "Learning rate over time");
//     options("decay-rate", o.decay_rate, "X", "what the rate is multiplied by", above(0))
//         .needs("--schedule step", [&o] { return o.kind != ScheduleKind::constant; });
//   }
//
// The default is the value of the field when it is listed; help texts do not repeat it.
// Names are in lower case with hyphens. Flags are named by their effect when they are
// on, and have a form with "no-" before it; "none" takes back an optional value.

#include <millrace/core/number_range.h>
#include <millrace/training/option_text.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace millrace {

/// Where a value comes from. Later ones win.
enum class OptionSource { nobody, recipe, command_line };

/// A row.
class Option {
 public:
  /// Without `fits`, the value has no effect; `other` says what it needs, as in "--patience N".
  Option& needs(std::string other, std::function<bool()> fits);
  /// Describes the default, if the field's first value does not show it.
  Option& by_default(std::string words);
  /// A run resumes only with the same value, since what was learnt before depends on it.
  Option& keeps();
  /// It says what the model is, or how samples become its input.
  Option& of_model();
  /// Of one command line: config.ini does not have it.
  Option& of_command();
  /// Of the command line alone: no file may say it.
  Option& never_in_files();
  /// Another word for it, on the command line and in recipes.
  Option& also_called(std::string name);

  std::string name, topic, unit, help;
  std::string range;  ///< "1 or more"; empty: any value of its type
  bool is_flag = false;
  bool is_positional = false;
  bool is_kept = false;
  bool is_of_model = false;
  bool is_of_command = false;
  bool is_never_in_files = false;
  std::vector<std::string> other_names;
  std::vector<std::pair<std::string, std::function<bool()>>> needed;
  OptionSource source = OptionSource::nobody;

  std::function<void(std::string_view)> read;  ///< throws UsageError that begins with the name
  std::function<std::string()> write;          ///< as read() takes it
  std::function<void()> check;                 ///< of the value that the field has
  std::function<void()> reset;                 ///< to what the field was when it was listed
  std::string initial;                         ///< what write() gave then
  [[nodiscard]] bool is_initial() const { return write() == initial; }
  /// It is said to be off: a flag or value that is taken back needs nothing else.
  [[nodiscard]] bool is_taken_back() const;
  /// Empty for flags, and where there is no default.
  [[nodiscard]] std::string shown_default() const;
  /// As the command line shows it: a flag that is on by itself by its form with "no-".
  [[nodiscard]] std::string shown_name() const;

 private:
  std::string default_words_;
};

/// Whether it is a number that cannot be below 0.
template <class T>
inline constexpr bool kIsCount = std::unsigned_integral<T> && !std::same_as<T, bool>;
template <class T>
inline constexpr bool kIsCount<std::optional<T>> = kIsCount<T>;

template <class T>
std::string write_by_type(const T& value) {
  return OptionText<T>::write(value);
}

/// The options of a command or a part of it. Fields outlive it.
class OptionList {
 public:
  OptionList() = default;
  OptionList(const OptionList&) = delete;
  OptionList& operator=(const OptionList&) = delete;

  struct Topic {
    std::string key, title;
  };
  /// Begins a group of options.
  void topic(std::string key, std::string title);

  /// Another way in and out than that of the type.
  template <class T>
  struct Form {
    T (*read)(std::string_view text) = &OptionText<T>::read;
    std::string (*write)(const T& value) = &write_by_type<T>;
  };
  template <class T>
  Option& operator()(std::string name, T& field, std::string unit, std::string help,
                     NumberRange range = {}) {
    return (*this)(std::move(name), field, std::move(unit), std::move(help), Form<T>{}, range);
  }
  template <class T>
  Option& operator()(std::string name, T& field, std::string unit, std::string help,
                     std::type_identity_t<Form<T>> form, NumberRange range = {}) {
    return add_row(std::move(name), FieldAccess<T>{field}, std::move(unit), std::move(help), form,
                   range);
  }
  /// Of a value that is no field.
  template <class T>
  struct Access {
    std::function<T()> get;
    std::function<void(T value)> set;
  };
  template <class T>
  Option& operator()(std::string name, Access<T> access, std::string unit, std::string help,
                     NumberRange range = {}) {
    return add_row(std::move(name), std::move(access), std::move(unit), std::move(help), Form<T>{},
                   range);
  }
  /// An argument without a name, in the order of the command line.
  Option& positional(std::string name, std::string& field);

  [[nodiscard]] const std::vector<Topic>& topics() const noexcept { return topics_; }
  /// In the order in which they were listed.
  [[nodiscard]] const std::vector<std::unique_ptr<Option>>& options() const noexcept {
    return options_;
  }
  /// The option of a name, another name, or a flag's form with "no-" (then `is_no`); else null.
  struct Found {
    Option* option = nullptr;
    bool is_no = false;
  };
  [[nodiscard]] Found find(std::string_view name) const;
  /// The name that is nearest to a wrong one; empty: none is near.
  [[nodiscard]] std::string nearest(std::string_view wrong) const;

  /// Reads a value. Throws UsageError that begins with the option.
  void set(std::string_view name, std::string_view value, OptionSource source);
  [[nodiscard]] bool was_given(std::string_view name) const;

  /// Of options that need what is not there: those of recipes are reset, and a line for each is
  /// returned; throws UsageError for one of the command line that is not taken back.
  [[nodiscard]] std::vector<std::string> settle();
  /// Throws UsageError for the first value out of its range.
  void check() const;

 private:
  template <class T>
  struct FieldAccess {
    T& field;
    [[nodiscard]] const T& get() const { return field; }
    void set(T value) const { field = std::move(value); }
  };
  template <class T, class Access>
  Option& add_row(std::string name, Access access, std::string unit, std::string help, Form<T> form,
                  NumberRange range) {
    Option& option = add(std::move(name), std::move(unit), std::move(help));
    option.is_flag = std::is_same_v<T, bool>;
    option.range = range_text<T>(range);
    option.read = [access, &option, form, range](std::string_view text) {
      constexpr bool is_text =
          std::is_same_v<T, std::string> || std::is_same_v<T, std::filesystem::path>;
      try {
        access.set(is_text && text == "none" && !option.is_positional ? T{} : form.read(text));
      } catch (const BadOptionText& error) {
        refuse(option, is_negative(text) && range.is_bounded() ? range.text() : error.what(), text);
      } catch (const UsageError& error) {
        throw UsageError(concat("--", option.name, ": ", error.what()));
      }
      option.check();
    };
    option.write = [access, form] { return form.write(access.get()); };
    option.check = [access, &option, range] { check_range(option, access.get(), range); };
    option.reset = [access, first = T(access.get())] { access.set(first); };
    option.initial = option.write();
    return option;
  }
  Option& add(std::string name, std::string unit, std::string help);
  static bool is_negative(std::string_view text);
  [[noreturn]] static void refuse(const Option& option, const std::string& wanted,
                                  std::string_view text);

  template <class T>
  static void check_range(const Option& option, const T& value, const NumberRange& range) {
    if constexpr (std::is_arithmetic_v<T> && !std::is_same_v<T, bool>) {
      if (!range.contains(static_cast<double>(value))) {
        refuse(option, range.text(), OptionText<T>::write(value));
      }
    }
  }
  template <class T>
  static void check_range(const Option& option, const std::optional<T>& value,
                          const NumberRange& range) {
    if (value) check_range(option, *value, range);
  }
  template <class T>
  static void check_range(const Option& option, const std::vector<T>& values,
                          const NumberRange& range) {
    for (const T& value : values) check_range(option, value, range);
  }
  static void check_range(const Option& option, Seconds value, const NumberRange& range) {
    check_range(option, value.count(), range);
  }

  template <class T>
  static std::string range_text(const NumberRange& range) {
    return range.is_bounded() ? range.text() : kIsCount<T> ? at_least(0).text() : std::string();
  }

  std::vector<Topic> topics_;
  std::vector<std::unique_ptr<Option>> options_;
};

}  // namespace millrace
