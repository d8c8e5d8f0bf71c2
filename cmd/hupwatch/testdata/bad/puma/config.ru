# A Rack application of one release. The file fault, if there is one, says what is
# wrong with it.
require "socket"

release = File.basename(Dir.pwd)
fault = File.exist?("fault") ? File.read("fault") : ""

crash = lambda do |words|
  warn words
  exit!(7)
end

case fault
when "import"
  require "no_such_gem"
when "hang"
  warn "connecting to the database"
  File.read("gate", 1) # until the test lets it go on
when "ready"
  to = Socket.new(:UNIX, :DGRAM)
  to.connect(Addrinfo.unix(ENV.fetch("NOTIFY_SOCKET").sub(/\A@/, "\0")))
  to.write("READY=1")
  crash.call("RuntimeError: the cache cannot be opened")
when "crash"
  Thread.new do
    File.read("gate", 1)
    crash.call("NoMemoryError: the cache is too large")
  end
end

run lambda { |env|
  status = 200
  case env["PATH_INFO"]
  when "/slow"
    sleep(env["QUERY_STRING"][/\bms=(\d+)/, 1].to_i / 1000.0)
  when "/healthz"
    if fault == "sick"
      warn "SQLite3::SQLException: no such table: users"
      status = 500
    end
  end
  body = "#{release} #{Process.pid}\n"
  [status, { "content-type" => "text/plain", "content-length" => body.bytesize.to_s }, [body]]
}
