// The search runs in a worker, and no browser starts one for a page that was opened as a file. There a hidden frame does
// its work. The file's name keeps the builder from having pages load such a program from another host.

if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    #frame = document.createElement("iframe");
    #channel = new MessageChannel();

    constructor(url) {
      super();
      this.#channel.port1.onmessage = ({ data }) => {
        const event = new MessageEvent("message", { data });
        this.dispatchEvent(event);
        this.onmessage?.(event);
      };
      this.#frame.hidden = true;
      this.#frame.srcdoc = "<!doctype html>";
      this.#frame.onload = () => this.#start(this.#frame.contentWindow, url);
      document.body.append(this.#frame);
    }

    #start(inside, url) {
      const port = this.#channel.port2;
      inside.postMessage = (data) => port.postMessage(data);
      const script = inside.document.createElement("script");
      script.src = url;
      // What was posted before that waits in the channel.
      script.onload = () => {
        port.onmessage = ({ data }) => inside.dispatchEvent(new inside.MessageEvent("message", { data }));
      };
      inside.document.body.append(script);
    }

    postMessage(data) {
      this.#channel.port1.postMessage(data);
    }

    terminate() {
      this.#channel.port1.close();
      this.#frame.remove();
    }
  };
}
