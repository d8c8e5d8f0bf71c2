# A Rack application that says which generation of it answers: at once, or for
# /slow?ms=800 after that many milliseconds.
run lambda { |env|
  if env["PATH_INFO"] == "/slow"
    sleep((env["QUERY_STRING"][/\bms=(\d+)/, 1] || 800).to_i / 1000.0)
  end
  body = "pid #{Process.pid} generation #{ENV['HUPWATCH_GENERATION'] || 0}\n"
  [200, { "content-type" => "text/plain", "content-length" => body.bytesize.to_s }, [body]]
}
