#include <millrace/io/detail/jpeg_reader.h>

#include <millrace/core/error.h>

#include <array>
#include <csetjmp>
#include <cstdio>  // jpeglib.h needs it

#include <jpeglib.h>

#include <jerror.h>

namespace millrace::detail {

struct JpegReader::State {
  jpeg_decompress_struct decoder{};
  jpeg_error_mgr errors{};
  jpeg_progress_mgr progress{};
  JpegHeader header{};
  std::jmp_buf landing{};
  std::array<char, JMSG_LENGTH_MAX> message{};
  const char* converter = nullptr;  // of a file that is whole, and of a kind that is not read

  // Runs a call into libjpeg, which may end by a jump back to here.
  template <class Call>
  void guarded(Call call) {
    converter = nullptr;
    if (setjmp(landing) != 0) fail();
    call();
  }

  [[noreturn]] void fail() const {
    if (converter == nullptr) {
      throw Error(concat("damaged JPEG: ", message.data(), "; get it again"));
    }
    throw Error(concat("a JPEG file of a kind that is not read (", message.data(),
                       "); convert it with ", converter));
  }

  // What turns a file into one that is read, where libjpeg stops because it does not know the kind.
  static const char* converter_of(int code) {
    switch (code) {
      case JERR_BAD_PRECISION:    // 12 or 16 bits a sample
      case JERR_SOF_UNSUPPORTED:  // lossless, hierarchical
        return "`djpeg in.jpg > out.ppm` of libjpeg-turbo 3";
      case JERR_ARITH_NOTIMPL:
      case JERR_CCIR601_NOTIMPL:
      case JERR_CONVERSION_NOTIMPL:
      case JERR_EMPTY_IMAGE:  // its height stands behind the pixels
      case JERR_FRACT_SAMPLE_NOTIMPL:
      case JERR_IMAGE_TOO_BIG:
      case JERR_NOTIMPL:
      case JERR_NOT_COMPILED: return "the program that wrote it, to a JPEG of the usual kind";
      default: return nullptr;
    }
  }

  [[noreturn]] static void on_error(j_common_ptr common) {
    State& state = *static_cast<State*>(common->client_data);
    common->err->format_message(common, state.message.data());
    state.converter = converter_of(common->err->msg_code);
    std::longjmp(state.landing, 1);
  }

  // Warnings after which libjpeg would invent pixels.
  static void on_message(j_common_ptr common, int level) {
    if (level >= 0) return;
    switch (common->err->msg_code) {
      case JWRN_JPEG_EOF:
      case JWRN_HIT_MARKER:
      case JWRN_HUFF_BAD_CODE:
      case JWRN_MUST_RESYNC: on_error(common);
      default: return;
    }
  }

  // A few bytes a scan can make every scan touch all pixels; real files have some ten.
  static void on_progress(j_common_ptr common) {
    constexpr int kMaxScans = 500;
    const auto* const decoder = reinterpret_cast<j_decompress_ptr>(common);
    if (decoder->input_scan_number <= kMaxScans) return;
    State& state = *static_cast<State*>(common->client_data);
    std::snprintf(state.message.data(), state.message.size(), "more than %d scans", kMaxScans);
    state.converter = "`jpegtran in.jpg > out.jpg`";
    std::longjmp(state.landing, 1);
  }
};

JpegReader::JpegReader() : state_(std::make_unique<State>()) {
  State& state = *state_;
  state.decoder.err = jpeg_std_error(&state.errors);
  state.errors.error_exit = State::on_error;
  state.errors.emit_message = State::on_message;
  state.progress.progress_monitor = State::on_progress;
  state.decoder.client_data = &state;
  state.guarded([&] { jpeg_create_decompress(&state.decoder); });
  state.decoder.progress = &state.progress;
}

JpegReader::~JpegReader() {
  jpeg_destroy_decompress(&state_->decoder);
}

void JpegReader::close() noexcept {
  jpeg_abort_decompress(&state_->decoder);
}

JpegHeader JpegReader::open(std::span<const std::byte> file) {
  jpeg_decompress_struct& decoder = state_->decoder;
  close();  // whatever an earlier file left
  state_->guarded([&] {
    jpeg_mem_src(&decoder, reinterpret_cast<const unsigned char*>(file.data()),
                 static_cast<unsigned long>(file.size()));
    jpeg_read_header(&decoder, TRUE);
  });

  JpegHeader& header = state_->header;
  header = {};
  header.height = static_cast<int>(decoder.image_height);
  header.width = static_cast<int>(decoder.image_width);
  header.has_many_scans = jpeg_has_multiple_scans(&decoder) != 0;
  switch (decoder.num_components) {
    case 1: decoder.out_color_space = JCS_GRAYSCALE; break;
    case 3: decoder.out_color_space = JCS_RGB; break;
    case 4: decoder.out_color_space = JCS_CMYK; break;
    default:
      throw Error(concat("a JPEG of ", decoder.num_components, " channels; convert it to RGB"));
  }
  header.channels = decoder.num_components;
  constexpr std::uint64_t kBlockBytes = DCTSIZE2 * sizeof(JCOEF);
  for (int i = 0; i < decoder.num_components; ++i) {
    const jpeg_component_info& component = decoder.comp_info[i];
    header.coefficient_bytes +=
        kBlockBytes * component.width_in_blocks * component.height_in_blocks;
  }
  return header;
}

JpegHeader JpegReader::scale(int denominator) {
  jpeg_decompress_struct& decoder = state_->decoder;
  JpegHeader scaled = state_->header;
  if (denominator == 1) return scaled;
  decoder.scale_num = 1;
  decoder.scale_denom = static_cast<unsigned>(denominator);
  state_->guarded([&] { jpeg_calc_output_dimensions(&decoder); });
  scaled.height = static_cast<int>(decoder.output_height);
  scaled.width = static_cast<int>(decoder.output_width);
  return scaled;
}

void JpegReader::start(bool wide) {
  jpeg_decompress_struct& decoder = state_->decoder;
  if (wide) decoder.out_color_space = JCS_EXT_RGBX;
  decoder.dct_method = JDCT_ISLOW;
  state_->guarded([&] { jpeg_start_decompress(&decoder); });
}

void JpegReader::read_row(std::uint8_t* row) {
  jpeg_decompress_struct& decoder = state_->decoder;
  state_->guarded([&] { jpeg_read_scanlines(&decoder, &row, 1); });
}

}  // namespace millrace::detail
