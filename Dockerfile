# dmsb with figures and learners: docker build -t dmsb . && docker run --rm -v "$PWD":/work dmsb run four_way --report
FROM python:3.11-slim
COPY . /source
RUN pip install --no-cache-dir "/source[study,learn]" && rm -rf /source
RUN useradd --create-home user && mkdir /work && chown user /work
USER user
WORKDIR /work
ENTRYPOINT ["dmsb"]
CMD ["--help"]
